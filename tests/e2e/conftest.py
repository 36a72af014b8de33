from collections.abc import Iterator
from logging import WARNING

import pytest
import structlog
from e2e_fixtures import crm_name, office, offices, pair

__all__ = ["crm_name", "office", "offices", "pair"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest story first, so that of several workers one tells it and the others go on meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_e2e_story.py")


@pytest.fixture(autouse=True, scope="module")
def few_words() -> Iterator[None]:
    """Thousands of calls would each leave a line."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    yield
    structlog.configure(**before)
