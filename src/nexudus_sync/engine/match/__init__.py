"""Stage 5: records without a counterpart."""
