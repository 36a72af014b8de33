import pytest
from erpnext_site import Clock, Site


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(clock: Clock) -> Site:
    """Version 16."""
    return Site(16, clock)


@pytest.fixture
def old_site(clock: Clock) -> Site:
    """Version 15."""
    return Site(15, clock)


@pytest.fixture(params=[15, 16])
def either(request: pytest.FixtureRequest, clock: Clock) -> Site:
    """Both versions in turn."""
    return Site(request.param, clock)
