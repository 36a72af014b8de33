"""What a cycle would do, without doing it."""
