"""Histories that share their beginning are whole histories each: one of them, played alone, does the same."""

from pathlib import Path

from sim_family import FIGURES, run_family
from sim_history import run_history

STEPS, RECORDS = 16, 4


def test_each_member_of_a_family_is_what_its_path_plays_alone(tmp_path: Path) -> None:
    members = {
        member.path: member for member in run_family(5, tmp_path, steps=STEPS, records=RECORDS, ways=3, number=2)
    }
    assert len(members) == 9
    assert {trouble for member in members.values() for trouble in member.troubles} == set()
    for path in ((0, 0), (1, 2), (2, 2)):
        alone = run_history(5, tmp_path, steps=STEPS, records=RECORDS, path=path)
        assert members[path].figures == {name: getattr(alone, name) for name in FIGURES}


def test_the_members_of_a_family_differ(tmp_path: Path) -> None:
    histories = [run_history(5, tmp_path, steps=STEPS, records=RECORDS, path=path) for path in ((0, 0), (0, 1))]
    first, second = (history.lines for history in histories)
    assert first != second
    assert first[0] == second[0]
