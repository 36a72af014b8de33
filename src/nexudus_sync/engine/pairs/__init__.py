"""Stage 4: settle linked records."""
