"""What a person can decide, for the command line and the page alike: stored for the next cycle, and kept by name."""
