"""A circuit per cycle: when nothing works any more, the cycle ends instead of trying every record that is left."""

from collections import Counter

from nexudus_sync.errors import OutcomeUnknown, SyncError, Unavailable

IN_A_ROW = 10
"""So many records in a row may fail because a system does not answer; more would be hammering."""


class Circuit:
    """Counts, per system, the records that failed in a row because it did not answer."""

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()

    def worked(self) -> None:
        """A record went well."""
        self._failed.clear()

    def failed(self, error: SyncError) -> None:
        """A record failed. Raises the error itself when there is no point in going on with others."""
        if not isinstance(error, Unavailable | OutcomeUnknown):
            return
        self._failed[error.system] += 1
        if self._failed[error.system] >= IN_A_ROW:
            raise error
