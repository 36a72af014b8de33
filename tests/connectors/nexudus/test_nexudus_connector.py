import pytest
from nexudus_server import LOGIN, Server, card
from pydantic import ValidationError

from nexudus_sync.connectors.base import Connector, Row, Stamp
from nexudus_sync.connectors.nexudus import NexudusConnector, NexudusSettings
from nexudus_sync.connectors.nexudus.settings import NexudusLimits


def test_it_is_a_connector(connector):
    fits: Connector = connector
    assert fits.name == "nexudus"


def test_its_traits_are_those_of_partial_filtered_lists_with_authors():
    traits = NexudusConnector.traits
    assert not traits.lists_everything
    assert not traits.rows_are_whole
    assert traits.names_author
    assert traits.reads_before_write
    assert traits.child_keys == frozenset()


async def test_a_listed_row_is_never_taken_for_the_record(connector, server: Server):
    server.cards[7] = card(7)
    row = Row("7", Stamp("x", None), {"Id": 7})
    assert await connector.fetch("7", row) == card(7)
    assert await connector.fetch("7", row, children=False) == card(7)


async def test_the_clock_offset_is_none_before_the_first_answer(connector, server: Server):
    assert connector.clock_offset() is None
    server.skew = 90
    await connector.start()
    assert connector.clock_offset() == pytest.approx(90, abs=1)


def test_stamps_facts_and_digests_are_those_of_the_records(connector):
    assert connector.stamp(card(7, UpdatedBy=LOGIN)).own
    assert connector.facts(card(7)).id == "7"
    assert "UpdatedOn" not in connector.digest_view(card(7))


def test_the_limits_are_the_pages_numbers():
    limits = NexudusLimits(per_minute=120)
    assert (limits.per_second, limits.per_minute, limits.per_hour, limits.per_day) == (10, 120, 5000, 200_000)
    assert (limits.writes_per_minute, limits.writes_per_day, limits.customer_creations_per_day) == (60, 2500, 50)


@pytest.mark.parametrize(
    "wrong",
    [{"limits": {"per_second": 0}}, {"limits": {"per_week": 1}}, {"user": "x"}, {"auth": "oauth"}, {"lag": -1}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        NexudusSettings.model_validate({"username": "a", "password": "b", **wrong})


def test_the_password_shows_nowhere():
    settings = NexudusSettings.model_validate(
        {"username": "a", "password": "pa55word", "totp_secret": "JBSWY3DPEHPK3PXP"}
    )
    assert "pa55word" not in repr(settings)
    assert "JBSWY3DP" not in repr(settings)


def test_a_one_time_secret_may_be_left_out():
    assert NexudusSettings.model_validate({"username": "a", "password": "b", "totp_secret": None}).totp_secret is None
