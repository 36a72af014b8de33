"""A line of `check` about an error of a system: what was wrong, and what a person can do about it."""

from nexudus_sync.connectors.base import Check
from nexudus_sync.errors import AuthenticationFailed, ConnectorError, NotFound, RoleMissing, SyncError, Unavailable

_REMEDIES: tuple[tuple[type[SyncError], str], ...] = (
    (AuthenticationFailed, "give the right one in secrets.env or in the environment"),
    (RoleMissing, "give the sync's user this role there"),
    (NotFound, "correct base_url"),
    (Unavailable, "see whether the system is up and base_url is right, then run check again"),
)


def failed(subject: str, error: SyncError, detail: str | None = None, exit_code: int | None = None) -> Check:
    """The line; `detail` and `exit_code` take the place of the error's own."""
    told = detail or (error.message if isinstance(error, ConnectorError) else str(error))
    remedy = next((remedy for kind, remedy in _REMEDIES if isinstance(error, kind)), "run check again")
    return Check(subject, "fail", told, error.exit_code if exit_code is None else exit_code, remedy)
