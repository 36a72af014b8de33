"""Does a refused call concern one record, or does the login lack a role?

An approval, a lock or a permission of its own can keep one record from a login that may do all else. A list that is
refused, or the same call for two records with no success between, is the login's.
"""

from nexudus_sync.errors import RoleMissing

Call = tuple[str, str]
"""The method of a call and the path of the kind of record it is about."""


class Denials:
    """What a login was denied since the call last worked: by call, the record it was about."""

    def __init__(self) -> None:
        self._denied: dict[Call, str] = {}

    def worked(self, method: str, path: str) -> None:
        """This call succeeded: what was denied before it was about that record alone."""
        self._denied.pop((method, path), None)
        self._denied.pop((method, _kind(path)), None)

    def judge(self, error: RoleMissing, method: str, path: str, about: str | None) -> None:
        """Mark whether it is about one record `alone`. `about` names the record when the path of a write does not."""
        record = error.record or about
        if record is not None:
            call = (method, path if error.record is None else _kind(path))
            error.alone = self._denied.setdefault(call, record) == record


def _kind(path: str) -> str:
    return path.rpartition("/")[0]
