from collections.abc import Iterator
from logging import WARNING

import pytest
import structlog
from e2e_fixtures import crm_name, office, offices, pair

__all__ = ["crm_name", "office", "offices", "pair"]


def _is_of_hubspot(item: pytest.Item) -> bool:
    """Is it HubSpot's turn? The stories but that of crashes are told in other CRMs' words; it has some of its own."""
    return (
        isinstance(item, pytest.Function)
        and getattr(item, "callspec", None) is not None
        and (item.callspec.params.get("crm_name") == "hubspot")
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest story first, so that of several workers one tells it and the others go on meanwhile."""
    items[:] = [item for item in items if not _is_of_hubspot(item) or item.path.name == "test_e2e_crashes.py"]
    items.sort(key=lambda item: item.path.name != "test_e2e_story.py")


@pytest.fixture(autouse=True, scope="module")
def few_words() -> Iterator[None]:
    """Thousands of calls would each leave a line."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    yield
    structlog.configure(**before)
