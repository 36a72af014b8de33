"""The whole engine against a plain in-memory model: whatever people do, both sides say what the policy says."""

import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sim_model import FIELDS, Pair, Values, sync, word
from sim_office import REASONS, Office
from sqlmodel import col, select

from nexudus_sync.mapping import Side
from nexudus_sync.opportunity import say
from nexudus_sync.store.tables import History, Link

STAGES = ("New lead", "Tour booked", "Proposal sent")
OWNERS = ("maria.nunez@example.com", "tom.oreilly@example.com")
SPARE = ("title", "utm_source", "opportunity_amount", "utm_campaign", "expected_closing", "opportunity_owner")
CHOICES: dict[str, tuple[str | None, ...]] = {
    "title": ("A", "B", "C"),
    "status": ("Open", "Quotation", "Converted", "Lost", "Closed"),
    "sales_stage": STAGES,
    "lost_reasons": (None, *REASONS.values()),
    "opportunity_amount": (None, "10.00", "20.00", "30.00"),
    "expected_closing": (None, "2026-05-04", "2026-06-05", "2026-07-06"),
    "opportunity_owner": (None, *OWNERS),
    "utm_source": (None, "x", "y", "z"),
    "utm_campaign": (None, "p", "q"),
}
EDITS = st.sampled_from(FIELDS).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(CHOICES[name])))
ENTERED = "web"
"""The source of each opportunity as it is entered."""
SHARES = {"overplane": Fraction(2, 3), "erpnext": Fraction(1, 3)}
"""The CRMs, with their parts of the profile's examples."""
QUICK_PART = Fraction(1, 5)
"""How many of the quick profile's examples are tried here, where each plays a dozen cycles."""
SIDES = st.sampled_from(list(Side))
BLANK: Values = dict.fromkeys(FIELDS) | {"status": "Open"}


class Machine(RuleBasedStateMachine):
    """People's edits and decisions on a few pairs; the engine and the model both do each `cycle`, and are compared."""

    def __init__(self, office: Office) -> None:
        super().__init__()
        self.office, self.pairs, self.deletes = office, list[Pair](), "ignore"
        self.undo: list[tuple[Pair, str, str | None, str | None, bool]] = []
        self.titles, self.agreed = itertools.count(), False

    @initialize(deletes=st.sampled_from(["ignore", "propagate"]))
    def open(self, deletes: str) -> None:
        """A sentinel that nobody touches (an empty side would pull the brake), and two pairs."""
        self.deletes = deletes
        self.office.clear(deletes)
        for _ in range(3):
            self._born(Side.NEXUDUS, Side.CRM, stage=0)
        self.cycle(reconcile=False)

    # -- edits ------------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0), side=SIDES, edit=EDITS)
    def edit(self, which: int, side: Side, edit: tuple[str, str | None]) -> None:
        """One side says something else."""
        self._edit(self._pick(which, side), side, *edit)

    @rule(which=st.integers(0), edit=EDITS, other=st.integers(1, 5), first=SIDES)
    def edit_both(self, which: int, edit: tuple[str, str | None], other: int, first: Side) -> None:
        """Both sides say something else, one after the other."""
        pair, (name, value) = self._pick(which, *Side), edit
        values = CHOICES[name]
        self._edit(pair, first, name, value)
        self._edit(pair, first.other, name, values[(values.index(value) + other) % len(values)])

    @rule(which=st.integers(0), side=SIDES)
    def touch(self, which: int, side: Side) -> None:
        """Something that does not travel moves a record's stamp."""
        pair = self._pick(which, side)
        if pair is not None:
            self.office.touch(side, pair.ids[side], self._later())
            pair.at[side] = self.office.world.clock.seconds

    @rule(side=SIDES, stage=st.integers(0, 2))
    def born(self, side: Side, stage: int) -> None:
        """A new record on one side."""
        if len(self.pairs) < 7:
            self._born(side, stage=stage)

    @rule()
    def twins(self) -> None:
        """The same opportunity is entered on both sides: it is matched by its e-mail and title, never copied."""
        if len(self.pairs) < 7:
            self._born(Side.NEXUDUS, Side.CRM, stage=1)

    @rule(which=st.integers(0), side=SIDES)
    def delete(self, which: int, side: Side) -> None:
        """A record is deleted."""
        pair = self._pick(which, side)
        if pair is not None and pair.state == "linked" and pair.gone is None:
            self.office.delete(side, pair.ids[side])
            pair.says[side] = None

    # -- decisions --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._shown())
    @rule(which=st.integers(0), take=SIDES)
    def resolve(self, which: int, take: Side) -> None:
        """A person decides a conflict of a field, for the values shown."""
        shown = self._shown()
        pair, name = shown[which % len(shown)]
        self.office.resolve(pair.ids, name, take)
        pair.taken[name] = take

    @precondition(lambda self: any(pair.asked and not pair.answer for pair in self.pairs))
    @rule(take=SIDES)
    def answer(self, take: Side) -> None:
        """A person says what becomes of a record that was deleted on one side and edited on the other."""
        pair = next(pair for pair in self.pairs if pair.asked and not pair.answer)
        self.office.resolve(pair.ids, "record", take)
        pair.answer = take

    @rule(which=st.integers(0), force=st.booleans())
    def bring_back(self, which: int, force: bool) -> None:
        """A person undoes something the sync wrote over."""
        with self.office.world.store.read() as session:
            entries = list(session.exec(select(History)))
        pairs = {pair.ids.get(Side.NEXUDUS): pair for pair in self.pairs if pair.state == "linked" and not pair.gone}
        entries = [entry for entry in entries if entry.nexudus_id in pairs and entry.old is not None]
        if entries:
            entry = entries[which % len(entries)]
            self.office.ask("undo", history_id=entry.id, force=force)
            self.undo.append((pairs[entry.nexudus_id], entry.field, entry.old, entry.new, force))

    @rule(which=st.integers(0))
    def unlink(self, which: int) -> None:
        """A person parts a pair."""
        pair = self._pick(which, *Side)
        if pair is not None and pair.state == "linked" and not pair.told:
            with self.office.world.store.read() as session:
                link = session.exec(select(Link).where(Link.nexudus_id == pair.ids[Side.NEXUDUS])).one()
            self.office.ask("unlink", link_id=link.id)
            self._part(pair)
            pair.told = True

    @rule(which=st.integers(0))
    def link(self, which: int) -> None:
        """A person pairs two records again that were parted: a first match of their own."""
        pair = self._pick(which, *Side)
        if pair is not None and pair.state == "parted" and not pair.told:
            self.office.ask("link", nexudus_id=pair.ids[Side.NEXUDUS], crm_id=pair.ids[Side.CRM])
            fresh = Pair({}).base
            pair.state, pair.base, pair.told = "linked", fresh, True

    @rule(side=SIDES)
    def born_to_be_ignored(self, side: Side) -> None:
        """A person says of a new record that it shall be left alone."""
        if len(self.pairs) < 7:
            pair = self._born(side, stage=0)
            self.office.ask("ignore", side=side.value, record_id=pair.ids[side])
            pair.state = "ignored"

    # -- the sync ---------------------------------------------------------------------------------------------------

    @rule(reconcile=st.sampled_from([False, False, True]))
    def cycle(self, reconcile: bool) -> None:
        """Both the engine and the model go through a cycle; then they have to agree on everything."""
        self.agreed = False
        report = self.office.cycle(reconcile=reconcile)
        assert (report.errors, report.brake) == ([], None) or any(pair.gone for pair in self.pairs)
        undone, self.undo = self._undone(), []
        for pair in self.pairs:
            self._model(pair, undone.get(id(pair), {}), reconcile=reconcile)
        self._compare()
        self.agreed = True

    def teardown(self) -> None:
        """At rest nothing more is written, and nothing was hidden."""
        if self.agreed:
            self.cycle(reconcile=True)
            self.cycle(reconcile=False)  # what the server made of a write travels back once
            assert self.office.cycle().written == 0

    def _undone(self) -> dict[int, Values]:
        """What the undos that were asked for bring back: refused where the field moved on, unless forced."""
        found: dict[int, Values] = {}
        for pair, name, old, new, force in self.undo:
            if pair.state != "linked" or pair.gone:
                continue
            if force or all(word(pair.value(side, name)) == word(new) for side in Side):
                found.setdefault(id(pair), {})[name] = old
        return found

    def _model(self, pair: Pair, forced: Values, *, reconcile: bool) -> None:
        if pair.told and pair.gone:
            self._part(pair)  # what is not there any more is not linked
        pair.told = False
        if pair.twins:
            pair.state = "linked"
        if pair.state == "new":
            self._copied(pair)
        elif pair.state == "linked" and pair.gone is None:
            sync(pair, forced)
        elif pair.state == "linked" and (pair.answer or reconcile or self._noticed(pair)):
            self._deleted(pair)

    def _noticed(self, pair: Pair) -> bool:
        """What was deleted is missed at once where every poll lists everything, else at a reconcile.

        One that was to be read for another reason is missed before.
        """
        if pair.gone is Side.CRM and self.office.lists_everything:
            return True
        if (pair.ids[Side.NEXUDUS], pair.ids[Side.CRM], "record") in self.office.conflicts():
            return True
        if pair.gone is Side.CRM:
            return pair.ids[Side.NEXUDUS] not in self.office.cards()
        there = self.office.deals().get(pair.ids[Side.CRM], {})
        return there.get("e-mail") != pair.email

    def _copied(self, pair: Pair) -> None:
        """A record without a counterpart has one now, which says the same."""
        side = next(side for side in Side if pair.says[side] is not None)
        with self.office.world.store.read() as session:
            column = Link.nexudus_id if side is Side.NEXUDUS else Link.crm_id
            query = select(Link).where(column == pair.ids[side]).order_by(col(Link.id).desc())
            link = session.exec(query.limit(1)).one()  # ERPNext gives a deleted record's name again
        pair.ids = {Side.NEXUDUS: link.nexudus_id, Side.CRM: link.crm_id}
        said = pair.says[side]
        assert said is not None
        pair.says[side.other] = {name: word(value) for name, value in said.items()}
        pair.base = {name: word(value) for name, value in said.items()}
        pair.state = "linked"

    def _deleted(self, pair: Pair) -> None:
        """What a deletion comes to: under "ignore" the other record stays as it is."""
        assert pair.gone is not None
        left = pair.gone.other
        edits = pair.edits(left)
        if self.deletes == "ignore" or pair.answer is left:
            self._part(pair)
        elif not edits or (pair.answer and edits == pair.asked_about):
            pair.says[left] = None
            self._part(pair)
        else:
            pair.asked, pair.asked_about, pair.answer, pair.shown = True, edits, None, {}

    # -- comparing --------------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        cards, deals = self.office.cards(), self.office.deals()
        expected_cards = {p.ids[Side.NEXUDUS]: p.says[Side.NEXUDUS] or {} for p in self.pairs if p.says[Side.NEXUDUS]}
        expected_deals = {
            p.ids[Side.CRM]: said | {"other reasons": p.reasons, "e-mail": p.email}
            for p in self.pairs
            if (said := p.says[Side.CRM])
        }
        assert _unlike(cards, expected_cards) == {}
        assert _unlike(deals, expected_deals) == {}
        settled = {p.ids.get(Side.NEXUDUS, "") for p in self.pairs if p.gone is None or p.asked}
        shown = {key: one for key, one in self.office.conflicts().items() if key[0] in settled and key[2] != "record"}
        assert shown == {
            (pair.ids[Side.NEXUDUS], pair.ids[Side.CRM], name): {side: say(one) for side, one in said.items()}
            for pair in self.pairs
            for name, said in pair.shown.items()
            if pair.ids[Side.NEXUDUS] in settled
        }
        asked = {key[:2] for key in self.office.conflicts() if key[2] == "record"}
        assert asked == {(p.ids[Side.NEXUDUS], p.ids[Side.CRM]) for p in self.pairs if p.asked}
        assert [failure for failure in self.office.failures() if failure[0] in settled] == []

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _pick(self, which: int, *sides: Side) -> Pair | None:
        """One of the pairs that have a record on these sides; never the sentinel, or twins before they are matched."""
        known = [p for p in self.pairs[1:] if not p.asked and not p.twins]
        there = [p for p in known if all(p.says[side] is not None for side in sides)]
        return there[which % len(there)] if there else None

    def _later(self) -> int:
        """Some seconds go by: what happens now is newer than all before."""
        self.office.world.clock.seconds += 10
        return next(self.titles)

    def _edit(self, pair: Pair | None, side: Side, name: str, value: str | None) -> None:
        if pair is None or (side is Side.NEXUDUS and value is None and name in pair.cleared):
            return
        if side is Side.NEXUDUS and value is None and name in pair.refill:
            pair.cleared.add(name)
        self._later()
        if side is Side.CRM and name == "lost_reasons" and value == pair.value(side, name) is None:
            return  # no rows before and none now: nothing moves
        if side is Side.CRM and name == "lost_reasons" and value and pair.value(side, name) and not pair.reasons:
            pair.reasons = ["Errors"]
        self.office.edit(side, pair.ids[side], name, value, pair.reasons)
        pair.set(side, name, word(value) if side is Side.NEXUDUS else value)
        pair.at[side] = self.office.world.clock.seconds

    def _born(self, *sides: Side, stage: int) -> Pair:
        """A person enters an opportunity on one side, or on both."""
        who, number = self.office.person(), self._later()
        values = BLANK | {"title": f"New {number}", "sales_stage": STAGES[stage], "utm_source": ENTERED}
        pair = Pair({side: dict(values) if side in sides else None for side in Side}, who[1])
        for side in sides:
            enter = self.office.new_card if side is Side.NEXUDUS else self.office.new_deal
            pair.ids[side] = enter(who, values)
            pair.at[side] = self.office.world.clock.seconds
        if Side.CRM in sides and number % 2:
            pair.refill = self.office.know_of_lead(pair.ids[Side.CRM], "x")
        self.pairs.append(pair)
        return pair

    def _part(self, pair: Pair) -> None:
        pair.state, pair.shown, pair.taken, pair.asked, pair.answer = "parted", {}, {}, False, None

    def _shown(self) -> list[tuple[Pair, str]]:
        linked = [p for p in self.pairs if p.state == "linked" and p.gone is None]
        return [(pair, name) for pair in linked for name in pair.shown]


def _unlike(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Record → key → (what it says, what it should say), where these differ."""
    unlike = {}
    for one in found.keys() | expected.keys():
        says, should = found.get(one, {"record": "gone"}), expected.get(one, {"record": "gone"})
        keys = says.keys() | should.keys()
        unlike[one] = {key: (says.get(key), should.get(key)) for key in keys if says.get(key) != should.get(key)}
    return {one: keys for one, keys in unlike.items() if keys}


@pytest.mark.parametrize("system", SHARES)
def test_the_engine_does_what_a_plain_model_says(system: str, tmp_path: Path) -> None:
    office = Office(tmp_path, system)
    office.allow({"UTM Source": (*CHOICES["utm_source"], ENTERED), "UTM Campaign": CHOICES["utm_campaign"]})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    part = QUICK_PART if os.environ.get("HYPOTHESIS_PROFILE", "quick") == "quick" else 1
    examples = int(settings().max_examples * SHARES[system] * part)
    profile = settings(
        max_examples=examples, deadline=None, stateful_step_count=20, suppress_health_check=checks, print_blob=True
    )
    try:
        run_state_machine_as_test(lambda: Machine(office), settings=profile)
    finally:
        office.world.close()
