"""The engine: the shell around the pure core. Pull, plan, journal, apply, confirm."""
