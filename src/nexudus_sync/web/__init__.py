"""What `run` serves to browsers and monitoring. It looks through the store, and knows nothing of how a cycle works."""
