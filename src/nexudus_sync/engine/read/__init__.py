"""Read from a system."""
