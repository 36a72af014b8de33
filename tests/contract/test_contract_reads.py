"""Every connector's reads: errors of the right class, stamps and zones that mean the same everywhere."""

from contextlib import suppress
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from contract_kit import START, Rig

from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    Refused,
    RoleMissing,
    Unavailable,
)


async def test_a_wrong_password_or_token_is_an_authentication_failure_and_never_shown(
    rig_type: type[Rig], tmp_path: Path
) -> None:
    if not rig_type.has_login:
        pytest.skip("nobody logs in there")
    rig = rig_type(tmp_path, secret="wrong-secret")

    async def first_calls() -> None:
        await rig.connector.start()
        await rig.scan()

    with pytest.raises(AuthenticationFailed) as raised:
        await first_calls()
    assert raised.value.exit_code == 2
    assert raised.value.system == rig.connector.name
    assert "wrong-secret" not in str(raised.value)
    await rig.connector.aclose()


async def test_a_record_that_does_not_exist_is_not_found(rig: Rig) -> None:
    rig.add("Witness")
    with pytest.raises(NotFound) as raised:
        await rig.connector.fetch(rig.nobody)
    assert raised.value.record == rig.nobody


async def test_a_server_in_trouble_is_unavailable_after_several_tries(rig: Rig, trouble: str) -> None:
    record_id = rig.add("There")
    rig.strike(trouble, "read", times=100)
    with pytest.raises(Unavailable) as raised:
        await rig.connector.fetch(record_id)
    assert rig.struck() == 4
    assert "\n" not in str(raised.value)
    assert raised.value.system == rig.connector.name


async def test_a_read_gets_over_trouble_that_passes(rig: Rig, trouble: str) -> None:
    record_id = rig.add("There")
    rig.strike(trouble, "read", times=3)
    assert rig.connector.facts(await rig.connector.fetch(record_id)).id == record_id


async def test_a_refused_value_names_its_key_and_changes_nothing(rig: Rig) -> None:
    record_id = rig.add("Before")
    record, before = await rig.connector.fetch(record_id), rig.stored()
    (step,) = rig.connector.update_steps(record, {**record, **rig.bad_value})
    with pytest.raises(Refused) as raised:
        await rig.connector.perform(step, record)
    assert raised.value.keys == frozenset(rig.bad_value)
    assert rig.stored() == before


async def test_every_error_is_one_of_the_tree_and_names_the_system_in_one_line(rig: Rig, trouble: str) -> None:
    if rig.silent_deletes and trouble in ("empty", "truncated"):
        pytest.skip("an empty answer to a deletion is as it should be")
    record_id = rig.add("There")
    rig.strike(trouble, times=100)
    with pytest.raises(ConnectorError) as raised:
        await rig.connector.perform(rig.connector.delete_step(record_id))
    assert str(raised.value).startswith(rig.connector.name)
    assert "\n" not in str(raised.value)
    rig.heal()
    assert set(rig.stored()) <= {record_id}


async def test_a_missing_right_is_said_by_the_listing_and_makes_no_record_absent(rig: Rig) -> None:
    if not rig.has_rights:
        pytest.skip("who logs in may do everything there")
    record_id = rig.add("There")
    rig.forbid()
    with pytest.raises(RoleMissing) as raised:
        await rig.scan()
    assert raised.value.system == rig.connector.name
    with suppress(ConnectorError):
        assert not await rig.connector.absent(record_id, "")


async def test_a_stamp_moves_with_each_edit_and_is_utc(rig: Rig) -> None:
    record_id = rig.add("Deal")
    first = rig.connector.stamp(await rig.connector.fetch(record_id))
    again = rig.connector.stamp(await rig.connector.fetch(record_id))
    assert first == again
    rig.clock.turn(1)
    rig.edit(record_id, **{rig.title: "Edited"})
    later = rig.connector.stamp(await rig.connector.fetch(record_id))
    assert first.token != later.token
    assert first.at is not None
    assert later.at is not None
    assert later.at - first.at == timedelta(seconds=1)
    assert later.at.tzinfo is not None
    assert later.at == rig.clock.now().astimezone(UTC).replace(microsecond=0)


async def test_facts_are_aware_of_time_and_case(rig: Rig) -> None:
    rig.clock.turn(90)
    record_id = rig.add("Deal", email="Mixed.Case@Example.ORG")
    facts = rig.connector.facts(await rig.connector.fetch(record_id))
    assert (facts.id, facts.email) == (record_id, "mixed.case@example.org")
    assert facts.created_at is not None
    assert timedelta(0) <= facts.created_at - START - timedelta(seconds=60 + 90) < timedelta(seconds=1)
    row = (await rig.rows())[record_id]
    assert rig.connector.facts(row.record).email == facts.email


async def test_days_have_a_zone_only_where_they_are_kept_as_moments(rig: Rig) -> None:
    for elsewhere, zone in enumerate(rig.zones):
        record = await rig.connector.fetch(rig.add(f"Deal {zone}", elsewhere=bool(elsewhere)))
        context = await rig.connector.context(record, rig.other_scope if elsewhere else rig.own_scope)
        assert context.time_zone == (ZoneInfo(zone) if zone else None)


async def test_the_digits_of_a_currency_are_known(rig: Rig) -> None:
    record = await rig.connector.fetch(rig.add("Deal"))
    assert (await rig.connector.context(record, rig.own_scope)).digits == 2


async def test_the_currency_a_new_record_would_have_is_told_where_it_is_not_free(rig: Rig) -> None:
    assert (await rig.connector.context({}, rig.own_scope)).currency == rig.fixed_currency


async def test_names_are_read_once_and_again_when_one_is_missing(rig: Rig) -> None:
    record = await rig.connector.fetch(rig.add("Deal"))
    for _ in range(3):
        context = await rig.connector.context(record, rig.own_scope)
    assert rig.user_lists() in (1, None)
    assert context.directories["user"].raw("new.hire@example.com") in (None, "new.hire@example.com")
    rig.hire("new.hire@example.com")
    rig.clock.turn(120)
    await rig.connector.context(record, rig.own_scope)
    names = (await rig.connector.context(record, rig.own_scope)).directories["user"]
    assert names.raw("New.Hire@example.com") is not None


async def test_no_two_states_share_a_stamp_where_stamps_are_exact(rig: Rig) -> None:
    assert rig.connector.traits.exact_stamps is not rig.coarse_stamps
    if rig.coarse_stamps:
        pytest.skip("its stamps are coarse")
    record_id = rig.add("At once")
    seen = [rig.connector.stamp(await rig.connector.fetch(record_id)).token]
    for number in range(3):
        rig.edit(record_id, **{rig.title: f"Edit {number} of one moment"})
        seen.append(rig.connector.stamp(await rig.connector.fetch(record_id)).token)
    assert len(set(seen)) == 4
