"""What happens once, before the first cycle."""
