"""The systems: the protocol every connector keeps, HTTP and the request budget, and one package a system."""
