import threading
from collections.abc import Iterator

import httpx
import pytest
from sandbox_client import CARDS, SYNC, Office, basic

from nexudus_sandbox.faults import Faults
from nexudus_sandbox.server import Served, serve
from nexudus_sandbox.wire import Request

pytestmark = pytest.mark.sockets


class Running:
    def __init__(self) -> None:
        self.office, self.faults = Office(), Faults()
        self.served: Served = serve(self.office.double, self.faults)
        headers = {"Authorization": basic(SYNC, "secret")}
        self.client = httpx.Client(base_url=self.served.url, headers=headers, timeout=5, trust_env=False)


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    with running.served, running.client:
        yield running


def test_records_are_written_and_read_over_a_socket(running: Running) -> None:
    created = running.client.post(CARDS, json=running.office.body(Name="Désk"))
    card = created.json()["Value"]["Id"]
    assert running.client.get(f"{CARDS}/{card}").json()["Name"] == "Désk"
    assert running.client.get(CARDS, params={"CrmOpportunity_Id": f"[{card}]"}).json()["TotalItems"] == 1
    assert running.client.delete(f"{CARDS}/{card}").status_code == 200
    assert running.client.put(CARDS, json=running.office.body(Id=card)).status_code == 404


def test_one_connection_serves_many_requests(running: Running) -> None:
    def connection(answer: httpx.Response) -> object:
        return answer.extensions["network_stream"].get_extra_info("client_addr")

    assert len({connection(running.client.get(CARDS)) for _ in range(5)}) == 1


@pytest.mark.parametrize(("kind", "cards"), [("drop", 0), ("drop_after", 1), ("connect", 0)])
def test_a_dropped_connection_is_a_closed_socket(running: Running, kind: str, cards: int) -> None:
    running.faults.add(kind, "POST")
    with pytest.raises(httpx.RemoteProtocolError):
        running.client.post(CARDS, json=running.office.body())
    assert len(running.office.double.records()) == cards
    assert running.client.get(CARDS).status_code == 200


def test_silence_lasts_until_the_client_gives_up(running: Running) -> None:
    running.faults.add("timeout_after", "POST")
    with pytest.raises(httpx.ReadTimeout):
        running.client.post(CARDS, json=running.office.body(), timeout=0.05)
    assert len(running.office.double.records()) == 1


def test_a_truncated_answer_is_complete_http_but_no_json(running: Running) -> None:
    running.faults.add("truncated")
    answer = running.client.get(CARDS)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


def test_a_slow_answer_comes(running: Running) -> None:
    running.faults.add("slow", seconds=0.01)
    assert running.client.get(CARDS).status_code == 200


def test_closing_ends_open_connections_and_frees_the_port(running: Running) -> None:
    running.client.get(CARDS)
    running.served.close()
    running.served.close()
    with pytest.raises(httpx.TransportError):
        running.client.get(CARDS)
    with serve(running.office.double, port=running.served.port) as again:
        assert again.url == running.served.url


def test_closing_ends_a_silence(running: Running) -> None:
    failures: list[str] = []

    def ask() -> None:
        try:
            running.client.get(CARDS, timeout=30)
        except httpx.HTTPError as error:
            failures.append(type(error).__name__)

    reached = threading.Event()

    def match(_request: Request) -> bool:
        reached.set()
        return True

    running.faults.add("timeout_before", match, seconds=60)
    asking = threading.Thread(target=ask)
    asking.start()
    assert reached.wait(5)
    running.served.close()
    asking.join(5)
    assert failures in (["RemoteProtocolError"], ["ReadError"])
