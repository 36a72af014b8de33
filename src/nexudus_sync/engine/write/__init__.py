"""Write to a system, and what follows from it."""
