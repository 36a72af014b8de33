"""Every connector's scan: complete at the edges of pages and while people work, and honest when it cannot be."""

from pathlib import Path

import pytest
from contract_kit import PAGE, Rig

from nexudus_sync.errors import Unavailable


async def scanned_completely(rig: Rig) -> bool:
    """Does a scan claim to have listed everything? One that gives up does not."""
    try:
        return (await rig.scan())[-1].complete
    except Unavailable:
        return False


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 2])
async def test_a_scan_lists_every_record_at_the_edges_of_pages(rig: Rig, count: int) -> None:
    ids = [rig.add(f"Deal {number}") for number in range(count)]
    pages = await rig.scan()
    assert {row.id for page in pages for row in page.rows} == set(ids)
    assert [page.cursor is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]


async def test_edits_and_additions_while_paging_hide_no_record(rig: Rig) -> None:
    ids = [rig.add(f"Deal {number}") for number in range(3 * PAGE)]

    def work(page: int) -> None:
        rig.clock.turn(1)
        rig.edit(ids[0], **{rig.title: f"Edited {page}"})
        rig.edit(ids[-1], **{rig.title: f"Edited {page}"})
        if page < 4:
            rig.add(f"Added {page}")

    rig.while_listing(work)
    pages = await rig.scan()
    assert {row.id for page in pages for row in page.rows} >= set(ids)
    assert pages[-1].complete


async def test_what_was_edited_during_a_scan_is_listed_by_the_next_one_with_a_new_stamp(rig: Rig) -> None:
    ids = [rig.add(f"Deal {number}") for number in range(2 * PAGE)]
    rig.clock.turn(5)
    edited: list[str] = []

    def work(page: int) -> None:
        if page == (2 if rig.comes_in_pages else 1):
            rig.edit(ids[0], **{rig.title: "Edited behind its page"})
            rig.edit(ids[-1], **{rig.title: "Edited behind its page"})
            edited.extend((ids[0], ids[-1]))

    rig.while_listing(work)
    pages = await rig.scan()
    before = {row.id: row for page in pages for row in page.rows}
    rig.clock.turn(60)
    after = await rig.rows(pages[-1].cursor)
    for record_id in edited:
        record = after[record_id].record
        assert record[rig.title] == "Edited behind its page"
        known = before[record_id]
        assert known.stamp.token != after[record_id].stamp.token or known.record[rig.title] == record[rig.title]


async def test_a_deletion_while_paging_hides_no_other_record(rig: Rig) -> None:
    ids = [rig.add(f"Deal {number}") for number in range(3 * PAGE)]
    gone: list[str] = []

    def work(page: int) -> None:
        if page == 1:
            for one in (ids[1], ids[-2]):
                rig.remove(one)
                gone.append(one)

    rig.while_listing(work)
    pages = await rig.scan()
    assert {row.id for page in pages for row in page.rows} >= set(ids) - set(gone)
    assert pages[-1].complete


async def test_a_list_that_never_holds_still_is_never_called_complete(rig: Rig) -> None:
    if not rig.comes_in_pages:
        pytest.skip("one read shows all of it")
    ids = [rig.add(f"Deal {number}") for number in range(12 * PAGE)]

    def work(page: int) -> None:
        rig.remove(ids.pop(0))
        rig.remove(ids.pop())

    rig.while_listing(work)
    if rig.pages_hold:  # there it may claim to be: it lists what was there from the beginning to the end
        listed = {row.id for page in await rig.scan() for row in page.rows}
        assert listed >= set(ids)
    else:
        assert not await scanned_completely(rig)


async def test_a_total_that_never_fits_is_made_up_for_by_two_readings_that_agree(rig: Rig) -> None:
    if not rig.counts_in_lists:
        pytest.skip("its lists say nothing of how many there are")
    ids = {rig.add(f"Deal {number}") for number in range(PAGE + 2)}
    rig.strike("wrong_total", "list", times=100)
    pages = await rig.scan()
    assert {row.id for page in pages for row in page.rows} == ids
    assert pages[-1].complete


async def test_a_total_that_was_wrong_once_is_read_over(rig: Rig) -> None:
    if not rig.counts_in_lists:
        pytest.skip("its lists say nothing of how many there are")
    ids = {rig.add(f"Deal {number}") for number in range(PAGE + 2)}
    rig.strike("wrong_total", "list")
    pages = await rig.scan()
    assert {row.id for page in pages for row in page.rows} == ids
    assert pages[-1].complete


async def test_a_scan_from_its_cursor_shows_every_change_since(rig: Rig) -> None:
    ids = [rig.add(f"Deal {number}") for number in range(PAGE + 3)]
    rig.clock.turn(7200)
    cursor = (await rig.scan())[-1].cursor
    rig.clock.turn(600)
    rig.edit(ids[2], **{rig.title: "Later"})
    added = rig.add("Added")
    rows = await rig.rows(cursor)
    assert rows[ids[2]].record[rig.title] == "Later"
    assert added in rows


async def test_an_edit_in_the_minute_of_the_cursor_is_listed_again(rig: Rig) -> None:
    record_id = rig.add("Deal")
    rig.clock.turn(3600)
    cursor = (await rig.scan())[-1].cursor
    rig.edit(record_id, **{rig.title: "In the same second"})
    rig.clock.turn(30)
    assert (await rig.rows(cursor))[record_id].record[rig.title] == "In the same second"


async def test_records_of_another_scope_are_told_apart(rig: Rig) -> None:
    own, other = rig.add("Ours"), rig.add("Theirs", elsewhere=True)
    inside = {row.id for row in (await rig.rows()).values() if rig.connector.in_scope(row.record, rig.own_scope)}
    assert inside == {own}
    record = await rig.connector.fetch(other)
    assert not rig.connector.in_scope(record, rig.own_scope)
    assert rig.connector.in_scope(record, rig.other_scope)


async def test_rows_carry_what_the_traits_promise(rig: Rig) -> None:
    record_id = rig.add("Deal")
    row = (await rig.rows())[record_id]
    whole = await rig.connector.fetch(record_id)
    missing = whole.keys() - row.record.keys()
    if rig.connector.traits.rows_are_whole:
        assert missing == rig.connector.traits.child_keys
    else:
        assert missing
    assert {key: whole.get(key) for key in row.record} == row.record
    assert row.stamp == rig.connector.stamp(whole)


async def test_the_content_of_a_row_and_of_its_whole_record_is_told_by_one_view(rig: Rig) -> None:
    record_id = rig.add("Deal")
    row = (await rig.rows())[record_id]
    before = rig.connector.digest_view(row.record)
    rig.clock.turn(60)
    rig.edit(record_id, **{rig.title: "Deal"})
    same = (await rig.rows())[record_id]
    assert same.stamp.token != row.stamp.token
    assert rig.connector.digest_view(same.record) == before
    rig.edit(record_id, **{rig.title: "Renamed"})
    assert rig.connector.digest_view((await rig.rows())[record_id].record) != before


async def test_a_row_is_hot_while_its_stamp_is_still_now_by_the_servers_clock(
    rig_type: type[Rig], offset: float, tmp_path: Path
) -> None:
    rig = rig_type(tmp_path, offset=offset)
    await rig.connector.start()
    rig.add("Long ago")
    await rig.scan()
    rig.clock.turn(60)
    record_id = rig.add("Just now")
    assert (await rig.rows())[record_id].hot is rig.coarse_stamps
    rig.clock.turn(5)
    rows = await rig.rows()
    assert not any(row.hot for row in rows.values())
    assert abs((rig.connector.clock_offset() or 0.0) - offset) <= 1
    stamped = rows[record_id].stamp.at
    assert stamped is not None
    assert abs((stamped - rig.clock.now()).total_seconds() - offset + 5) <= 1
    await rig.connector.aclose()
