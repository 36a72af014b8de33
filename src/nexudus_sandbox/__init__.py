"""Runnable doubles of Nexudus and Overplane for the demo, rehearsals and tests: no network, no account, no cost."""
