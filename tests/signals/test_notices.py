"""When people are told of what: soon, once, in one message, and once more when all is well again."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nexudus_sync.codec import dumps, loads
from nexudus_sync.signals.health import Problem, Standing, Verdict
from nexudus_sync.signals.notices import Book, Notice, Pace, due, look
from nexudus_sync.store.waiting import New

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PACE = Pace(gather=10 * MINUTE, every=HOUR, page="http://127.0.0.1:8780/ (on box)")


def brake(connection: str = "london") -> Problem:
    return Problem("brake", connection, "the brake mass-delete is set", "look", NOON, "mass-delete")


def failing(connection: str = "london") -> Problem:
    return Problem("failing", connection, "has been failing for 6 minutes: it is down", "look", NOON)


class Office:
    """Time, what is wrong, what newly waits, and the messages that people got."""

    def __init__(self) -> None:
        self.now = NOON
        self.problems: tuple[Problem, ...] = ()
        self.new: list[tuple[str, datetime, int, int]] = []
        self.kept: Mapping[str, Any] | None = None
        self.told: list[Notice] = []

    def wait(self, span: timedelta) -> None:
        """Pass the time, with a look every 30 seconds; what was told is read from where it is kept each time."""
        until = self.now + span
        while self.now < until:
            self.now += timedelta(seconds=30)
            self.look()

    def look(self) -> None:
        book = Book.of_json(self.kept)
        standing = [Standing(name, "ok", None, 7, 5, None) for name in ("london", "madrid")]
        verdict = Verdict(self.now, True, None, tuple(standing), self.problems)
        new = [one for name in ("london", "madrid") if (one := self._new(name, book.upto.get(name)))]
        book = look(book, verdict, PACE)
        message = due(book, verdict, new, PACE)
        if message is not None:
            self.told.append(message[0])
            book = message[1]
        self.kept = loads(dumps(book.as_json()))

    def _new(self, name: str, upto: datetime | None) -> New | None:
        mine = [one for one in self.new if one[0] == name and (upto is None or one[1] > upto)]
        if not mine:
            return None
        moments = [one[1] for one in mine]
        return New(name, sum(one[2] for one in mine), sum(one[3] for one in mine), min(moments), max(moments))

    @property
    def titles(self) -> list[str]:
        return [one.title for one in self.told]


def test_a_brake_is_told_once_after_a_minute_with_what_to_do() -> None:
    office = Office()
    office.problems = (brake(),)
    office.wait(MINUTE)
    assert office.told == []
    office.wait(MINUTE)
    office.wait(48 * HOUR)
    assert office.titles == ["a brake stopped london"]
    assert office.told[0].body.splitlines() == [
        "- london: the brake mass-delete is set; look",
        "Its page: http://127.0.0.1:8780/ (on box)",
    ]


def test_what_comes_up_within_the_minute_is_one_message() -> None:
    office = Office()
    office.problems = (brake(),)
    office.wait(MINUTE / 2)
    office.problems = (brake(), failing("madrid"))
    office.wait(HOUR)
    assert office.titles == ["2 problems"]
    assert "- madrid: has been failing for 6 minutes: it is down; look" in office.told[0].body


def test_a_later_message_says_what_is_still_the_case() -> None:
    office = Office()
    office.problems = (brake(),)
    office.wait(HOUR)
    office.problems = (brake(), failing("madrid"))
    office.wait(HOUR)
    assert office.titles == ["a brake stopped london", "madrid keeps failing"]
    assert "Still the case:\n- london: the brake mass-delete is set; look" in office.told[1].body


def test_what_passes_within_a_minute_is_not_told() -> None:
    office = Office()
    office.problems = (failing(),)
    office.wait(MINUTE)
    office.problems = ()
    office.wait(HOUR)
    assert office.told == []


def test_all_well_again_is_told_once_when_it_has_lasted() -> None:
    office = Office()
    office.problems = (brake(), failing("madrid"))
    office.wait(5 * MINUTE)
    office.problems = (brake(),)
    office.wait(HOUR)
    assert office.titles == ["2 problems"]
    office.problems = ()
    office.wait(9 * MINUTE)
    assert len(office.told) == 1
    office.wait(48 * HOUR)
    assert office.titles == ["2 problems", "all is well again"]
    assert office.told[1].body.splitlines()[:3] == [
        "This is over:",
        "- a brake stopped london",
        "- madrid keeps failing",
    ]


def test_what_comes_and_goes_is_told_once_until_it_stays_away() -> None:
    office = Office()
    for _ in range(40):
        office.problems = (failing(),)
        office.wait(3 * MINUTE)
        office.problems = ()
        office.wait(3 * MINUTE)
    office.wait(HOUR)
    assert office.titles == ["london keeps failing", "all is well again"]


def test_what_comes_back_after_all_was_well_is_told_again_but_not_within_the_hour() -> None:
    office = Office()
    for _ in range(20):
        office.problems = (failing(),)
        office.wait(15 * MINUTE)
        office.problems = ()
        office.wait(15 * MINUTE)
    office.wait(HOUR)
    assert office.titles == ["london keeps failing", "all is well again"] * 10


def test_failing_that_turns_into_being_stale_is_the_same_trouble() -> None:
    office = Office()
    office.problems = (failing(),)
    office.wait(10 * MINUTE)
    office.problems = (Problem("stale", "london", "no cycle has finished for 20 minutes", "look", NOON),)
    office.wait(HOUR)
    assert office.titles == ["london keeps failing"]


def test_what_waits_is_collected_for_ten_minutes_and_told_in_one_message() -> None:
    office = Office()
    office.new = [("london", NOON, 1, 0), ("london", NOON + 4 * MINUTE, 1, 1), ("madrid", NOON + 9 * MINUTE, 0, 2)]
    office.wait(9 * MINUTE)
    assert office.told == []
    office.wait(HOUR)
    assert office.titles == ["2 conflicts and 3 failures wait for you"]
    assert office.told[0].body.splitlines()[:4] == [
        "New since the last message:",
        "- london: 2 conflicts and 1 failure wait (12 in all)",
        "- madrid: 2 failures wait (12 in all)",
        "To see them: `nexudus-sync conflicts list` and `nexudus-sync failures list`.",
    ]


def test_a_stream_of_items_is_a_message_an_hour() -> None:
    office = Office()
    for _ in range(6 * 60):
        office.new.append(("london", office.now, 1, 0))
        office.wait(MINUTE)
    assert 5 <= len(office.told) <= 6
    assert office.titles[0] == "10 conflicts wait for you"
    assert office.titles[1] == "60 conflicts wait for you"


def test_the_hour_of_one_connection_does_not_hold_back_another() -> None:
    office = Office()
    office.new = [("london", NOON, 1, 0)]
    office.wait(15 * MINUTE)
    office.new += [("london", office.now, 1, 0), ("madrid", office.now, 0, 1)]
    office.wait(20 * MINUTE)
    assert office.titles == ["1 conflict waits for you", "1 failure waits for you"]
    office.wait(HOUR)
    assert office.titles[2:] == ["1 conflict waits for you"]


def test_a_problem_takes_what_waits_with_it() -> None:
    office = Office()
    office.new = [("madrid", NOON, 1, 0)]
    office.problems = (brake(),)
    office.wait(HOUR)
    assert office.titles == ["a brake stopped london; 1 conflict waits for you"]


def test_the_run_itself_is_not_told_by_the_run() -> None:
    office = Office()
    office.problems = (Problem("run", None, "`nexudus-sync run` hangs", "start it again"),)
    office.wait(HOUR)
    assert office.told == []
