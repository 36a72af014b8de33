"""Stage 3: list both sides and remember what they show."""
