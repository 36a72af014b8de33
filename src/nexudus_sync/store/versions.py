"""What has to be known of a store before anything is loaded to open it."""

REVISIONS: tuple[str, ...] = ("0001", "0002", "0003", "0004", "0005")
"""Every revision of the schema there is, oldest first."""
HEAD = REVISIONS[-1]
"""The revision this version works with."""
BUSY_MS = 5000
"""How long a transaction waits for another process's, in milliseconds."""


def works_with(revision: str) -> bool:
    """Can this version work with a store at that revision, known or not, as it is?

    While workers are replaced one by one, two versions work on one store. So a revision that takes nothing away from
    an earlier one says in its name from which on its store can be worked with: "0007_for_0005".
    """
    if revision in REVISIONS:
        return revision == HEAD
    return revision.partition("_for_")[2] in REVISIONS
