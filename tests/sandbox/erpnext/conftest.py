import pytest
from erpnext_client import Client
from erpnext_recordings import Time, site

from nexudus_sandbox.erpnext import ERPNextDouble


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def double(time: Time) -> ERPNextDouble:
    return site(16, time)


@pytest.fixture
def old(time: Time) -> ERPNextDouble:
    return site(15, time)


@pytest.fixture
def client(double: ERPNextDouble) -> Client:
    return Client(double)


@pytest.fixture
def admin(double: ERPNextDouble) -> Client:
    return Client(double, "admin")
