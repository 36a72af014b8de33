import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

sys.path.append(str(Path(__file__).parents[1] / "simulation"))


@pytest.fixture(autouse=True, scope="module")
def silence() -> Iterator[None]:
    """Cycles among nonsense have much to say, and nobody reads it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
