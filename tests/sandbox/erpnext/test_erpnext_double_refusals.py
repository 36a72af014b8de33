"""Refusals that are no duplicate, rights that only let one choose: as two servers answered them."""

from typing import Any

import pytest
from erpnext_recordings import DATA, Replay, Time
from erpnext_recordings import site as site_of

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sync import codec

LEFT_OUT = frozenset({"exc", "data"})
RECORDED = [
    (version, codec.loads(line))
    for version in (15, 16)
    for line in (DATA / f"refusals-v{version}.jsonl").read_text(encoding="utf-8").splitlines()
]


def ready(replay: Replay, call: dict[str, Any]) -> None:
    """What stood there before the call."""
    double: ERPNextDouble = replay.double
    if call["name"].endswith("_twice"):
        double.add(
            *("UTM Campaign", "Administrator"), name="Spring special 2027"
        ) if replay.version == 16 else double.add("Campaign", "Administrator", campaign_name="Spring special 2027")
    if call["request"]["method"] == "PUT":
        recorded = call["request"]["path"].rpartition("/")[2]
        replay.names[recorded] = double.create(
            "Administrator", opportunity_from="Lead", party_name="CRM-LEAD-2026-00001", title="A"
        )


@pytest.mark.parametrize(("version", "call"), RECORDED, ids=lambda one: one["name"] if isinstance(one, dict) else one)
def test_the_double_refuses_as_the_server_did(version: int, call: dict[str, Any]) -> None:
    replay = Replay(version)
    ready(replay, call)
    response = replay.double.handle(replay.request(call["request"]))
    said, own = call["response"], response.json()
    assert response.status == call["status"]
    assert own.get("exc_type") == said.get("exc_type")
    if "data" in said:
        assert {row["name"] for row in own["data"]} <= {row["name"] for row in said["data"]} | {
            "Reference",
            "Exhibition",
        }
        return
    assert own.get("exception") == said.get("exception")
    told = [[codec.loads(one)["message"] for one in codec.loads(answer["_server_messages"])]
            for answer in (own, said) if "_server_messages" in answer]  # fmt: skip
    users = ("salesuser@example.com", "sales@operator.example")
    assert [text.replace(*users) for text in (told or [[]])[0]] == (told or [[]])[-1]


def test_who_may_only_choose_may_ask_by_nothing_but_the_name() -> None:
    double = site_of(16, Time())
    user = double.users["sync@example.com"]
    assert not user.may("read", "UTM Source")
    user.roles |= {"Marketing Manager"}
    assert user.may("read", "UTM Source")
