from collections.abc import Iterator
from logging import WARNING

import pytest
import structlog
from e2e_fixtures import IS_LONG, crm_name, office, offices, pair

__all__ = ["crm_name", "office", "offices", "pair"]


NIGHTLY = ("test_e2e_story.py", "test_e2e_crashes.py")
"""The longest stories; HubSpot's turn in them is the nightly run's."""


def _is_put_off(item: pytest.Item) -> bool:
    """Is it HubSpot's turn in a story that only the nightly run tells of it?"""
    return (
        not IS_LONG
        and item.path.name in NIGHTLY
        and isinstance(item, pytest.Function)
        and getattr(item, "callspec", None) is not None
        and item.callspec.params.get("crm_name") == "hubspot"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest story first, so that of several workers one tells it and the others go on meanwhile."""
    items[:] = [item for item in items if not _is_put_off(item)]
    items.sort(key=lambda item: item.path.name != "test_e2e_story.py")


@pytest.fixture(autouse=True, scope="module")
def few_words() -> Iterator[None]:
    """Thousands of calls would each leave a line."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    yield
    structlog.configure(**before)
