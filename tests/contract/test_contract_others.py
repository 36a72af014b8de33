"""Every connector over HTTP: an answer about another record is told from one about the record that was asked for."""

from dataclasses import replace

import pytest
from contract_kit import HttpRig, Rig

from nexudus_sandbox.wire import Response
from nexudus_sync.errors import AnotherRecord, AnsweredForAnother


def about(rig: Rig, asked: str, other: str) -> HttpRig:
    """Let every answer about one record be about the other."""
    if not isinstance(rig, HttpRig):
        pytest.skip("no server answers there")

    def swap(answer: Response) -> Response:
        return replace(answer, body=answer.body.replace(asked.encode(), other.encode()))

    rig.faults.change(lambda request: asked in f"{request.path} {request.body.decode()}", swap, times=99)
    return rig


async def test_a_read_that_is_answered_with_another_record_is_no_read_of_it(rig: Rig) -> None:
    asked, other = rig.add("Asked for"), rig.add("Another")
    identity = rig.connector.facts(await rig.connector.fetch(asked)).identity
    about(rig, asked, other)
    with pytest.raises(AnotherRecord) as raised:
        await rig.connector.fetch(asked)
    assert (raised.value.system, raised.value.record, raised.value.told) == (rig.connector.name, asked, other)
    assert not await rig.connector.absent(asked, identity)


async def test_a_reply_about_another_record_leaves_the_outcome_open(rig: Rig) -> None:
    asked, other = rig.add("Asked for"), rig.add("Another")
    record = await rig.connector.fetch(asked)
    (step,) = rig.connector.update_steps(record, {**record, rig.title: "Written"})
    about(rig, asked, other)
    with pytest.raises(AnsweredForAnother):
        await rig.connector.perform(step, record)
    assert (rig.stored()[asked][rig.title], rig.stored()[other][rig.title]) == ("Written", "Another")
