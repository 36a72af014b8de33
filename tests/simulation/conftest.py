import logging
from collections.abc import Iterator

import pytest
import structlog

from nexudus_sync.store import leases


@pytest.fixture(autouse=True, scope="module")
def silence() -> Iterator[None]:
    """Thousands of cycles with faults in them have much to say, and nobody reads it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def server_in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's own time would go on while the world's jumps."""
    monkeypatch.setattr(leases, "_database_now", lambda _, clock: clock.now())
