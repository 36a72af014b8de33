"""Stage 2: what people decided."""
