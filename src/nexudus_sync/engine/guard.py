"""Whose error it is: the login's or the store's, which end the cycle, or one record's, which becomes its failure."""

import structlog

from nexudus_sync.errors import AuthenticationFailed, RoleMissing, StoreError, SyncError, Unforeseen

log = structlog.get_logger()


def of_record(error: Exception) -> SyncError:
    """The error as it is told of one record. Raises it where it ends the cycle.

    To be called where it was caught. What nobody foresaw is an error of that record like any: the others go on. The log
    has its traceback at level debug.
    """
    if isinstance(error, RoleMissing) and error.alone:
        return error.of_record()
    if isinstance(error, AuthenticationFailed | RoleMissing | StoreError):
        raise error
    if isinstance(error, SyncError):
        return error
    log.debug("record.unforeseen", exc_info=error)
    return Unforeseen(error)
