"""What has to be known of a store before anything is loaded to open it."""

REVISIONS: tuple[str, ...] = ("0001", "0002", "0003", "0004", "0005")
"""Every revision of the schema there is, oldest first."""
HEAD = REVISIONS[-1]
"""The revision this version works with."""
BUSY_MS = 5000
"""How long a transaction waits for another process's, in milliseconds."""
