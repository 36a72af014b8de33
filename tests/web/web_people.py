"""Browsers without a screen or a socket, and a person in front of the page."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlmodel import col, select
from starlette.exceptions import StarletteDeprecationWarning

from nexudus_sync.page import application
from nexudus_sync.store.tables import Conflict, Failure
from page_office import NAME, PASSWORD, Office

with warnings.catch_warnings():
    warnings.simplefilter("ignore", StarletteDeprecationWarning)  # it prefers a successor of httpx
    from starlette.testclient import TestClient


@contextmanager
def quiet() -> Iterator[None]:
    """Nobody reads what the cycles of the tests log, and printing it takes as long as they do."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(wrapper_class=before)


def client(office: Office, **options: Any) -> TestClient:
    return TestClient(application(office.engine, (), office), base_url="http://127.0.0.1:8780", **options)


def token_of(html: str) -> str:
    """The token that the page's forms carry."""
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found is not None
    return found[1]


@dataclass
class Person:
    """Somebody who has signed in."""

    office: Office
    http: TestClient
    token: str

    @classmethod
    def signed_in(cls, office: Office) -> "Person":
        http = client(office)
        form = {"token": token_of(http.get("/sign-in").text), "name": NAME, "password": PASSWORD}
        signed = http.post("/sign-in", data=form)
        assert signed.status_code == 200
        return cls(office, http, token_of(signed.text))

    def see(self, path: str) -> str:
        """The page at that address."""
        shown = self.http.get(path)
        assert shown.status_code == 200, shown.text
        return shown.text

    def do(self, path: str, **fields: Any) -> str:
        """Send a form; the page that it leads to."""
        shown = self.http.post(path, data={"token": self.token, **fields})
        assert shown.status_code == 200, shown.text
        return shown.text

    def conflicts(self, field: str = "opportunity_amount") -> list[Conflict]:
        """The open conflicts about a field."""
        with self.office.engine.store.read() as session:
            return list(session.exec(select(Conflict).filter_by(state="open", field=field).order_by(col(Conflict.id))))

    def conflict(self, number: int | None) -> Conflict:
        with self.office.engine.store.read() as session:
            found = session.get(Conflict, number)
        assert found is not None
        return found

    def failure(self, number: int | None) -> Failure:
        with self.office.engine.store.read() as session:
            found = session.get(Failure, number)
        assert found is not None
        return found
