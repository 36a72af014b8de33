"""What `benchmarks/peers.py` computes, and the server that keeps a double's answers for it."""

import pytest

from beside.figures import Row, Run, row, steady, table
from beside.server import WIDE, Front, without_brakes
from nexudus_sandbox.wire import Request, json_response


def test_what_each_run_pays_once_is_not_part_of_what_a_record_costs() -> None:
    start_up, each = 1.5, 0.002
    assert steady(start_up + 1000 * each, start_up + 5000 * each, (1000, 5000)) == pytest.approx(each)


def test_a_record_costs_nothing_that_can_be_told_from_one_number_of_records() -> None:
    with pytest.raises(ValueError, match="1000 records are not more than 1000"):
        steady(1.0, 2.0, (1000, 1000))


def test_a_row_takes_the_median_of_each_figure_and_divides_by_the_units_of_work() -> None:
    few = [Run(cpu, 1.0, 50.0, (103, 6)) for cpu in (1.0, 1.1, 9.0)]
    many = [Run(cpu, 2.0, peak, (403, 6)) for cpu, peak in ((3.1, 70.0), (3.0, 60.0), (30.0, 65.0))]
    once = row("ours", few, many, (100, 300))
    assert once == Row("ours", pytest.approx(10.0), pytest.approx(5.0), 1.5, 0.0, 3.1, 2.0, 70.0)
    few, many = ([Run(run.cpu, run.wall, run.peak, run.calls, units=3) for run in runs] for runs in (few, many))
    assert row("idle", few, many, (100, 300)).cpu_ms == pytest.approx(10.0 / 3)


def test_the_table_compares_with_the_floor_if_it_was_measured() -> None:
    floor = Row("floor", 0.5, 0.5, 1.0, 0.0, 2.5, 3.0, 40.0)
    ours = Row("ours", 6.0, 7.0, 1.0, 1.0, 30.0, 31.0, 120.0)
    assert (
        table([floor, ours], "floor").splitlines()[-1]
        == "| ours | 6.00 | 12.0 | 1.00 | 1.00 | 7.00 | 30.0 | 31.0 | 120 |"
    )
    assert table([ours], "floor").splitlines()[-1].startswith("| ours | 6.00 | – |")


class _Double:
    """Answers with the number of the request."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def handle(self, request: Request) -> object:
        self.asked.append(request)
        return json_response(404 if request.path == "/none" else 200, len(self.asked))


def test_an_answer_is_asked_for_once_and_kept() -> None:
    double = _Double()
    front = Front(double, live=False)
    head = b"GET /cards?page=2 HTTP/1.1\r\nAuthorization: Basic x"
    assert front.answer("GET", "/cards?page=2", head, b"") == front.answer("GET", "/cards?page=2", head, b"")
    assert [(one.path, one.query, one.headers) for one in double.asked] == [
        ("/cards", {"page": "2"}, {"authorization": "Basic x"})
    ]
    assert front.calls == {"reads": 2}


@pytest.mark.parametrize(
    ("method", "target", "live"), [("POST", "/api/token", False), ("GET", "/none", False), ("GET", "/cards", True)]
)
def test_logins_errors_and_all_answers_of_a_live_world_are_asked_for_each_time(
    method: str, target: str, live: bool
) -> None:
    double = _Double()
    front = Front(double, live=live)
    for _ in range(2):
        front.answer(method, target, b"", b"")
    assert len(double.asked) == 2


def test_writes_are_counted_apart_from_logins() -> None:
    front = Front(_Double(), live=False)
    for method, target in (("POST", "/api/token"), ("PUT", "/cards"), ("GET", "/cards")):
        front.answer(method, target, b"", b"")
    assert front.calls == {"logins": 1, "writes": 1, "reads": 1}


def test_no_limit_and_no_poll_is_left_in_a_configuration() -> None:
    config = 'per_second = 450\nwrites_per_day = 9\ncustomer_creations_per_day = 50\npoll = "5s"\n'
    lifted = without_brakes(config, creates=True)
    assert lifted.splitlines() == [
        f"per_second = {WIDE}",
        f"writes_per_day = {WIDE}",
        f"customer_creations_per_day = {WIDE}",
        'poll = "1h"',
        "new_company = true",
    ]
