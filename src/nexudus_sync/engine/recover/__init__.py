"""Stage 1: what became of writes that nobody answered."""
