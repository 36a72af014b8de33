"""What can be made to happen in a sandbox, for practice: each trigger does what people or systems would do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Literal

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.world import Sandbox

System = Literal["nexudus", "crm"]


@dataclass(frozen=True, slots=True)
class Told:
    """What was done, and what to try next; a line each."""

    did: list[str]
    next: list[str]


@dataclass(slots=True)
class Wanted:
    """How much of it: `times` records (None: the usual number), `seconds` of an outage, and where."""

    times: int | None = None
    seconds: int = 60
    system: System = "crm"


@dataclass(slots=True)
class Triggers:
    """Makes things happen in a sandbox, each to other records than before."""

    sandbox: Sandbox
    _used: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def pull(self, kind: str, wanted: Wanted) -> Told:
        """Make it happen. Raises KeyError for an unknown kind, ValueError when no record is left for it."""
        return KINDS[kind](self, wanted)

    def conflict(self, wanted: Wanted) -> Told:
        """Two people set one amount to different values."""
        maria, tom = self.sandbox.people
        did = []
        for card, row in self._pairs(wanted.times or 1):
            number = next(self._numbers)
            one, other = Decimal(5000 + 100 * number), Decimal(7000 + 100 * number)
            self.sandbox.nexudus.edit(card, maria.email, Value=one)
            self._crm.edit(row, tom.email, opportunity_amount=other)
            title = self.sandbox.nexudus.record(card)["Name"]
            did.append(
                f"“{title}” ({card} ⇄ {row}): {maria.first_name} set the amount to {one} in Nexudus, "
                f"{tom.first_name} to {other} in {self.sandbox.crm.title}."
            )
        return Told(
            did,
            [
                "nexudus-sync sync                       (not needed while `run` is running)",
                "nexudus-sync conflicts list",
                "nexudus-sync conflicts resolve ID --take crm, then sync again",
            ],
        )

    def failure(self, wanted: Wanted) -> Told:
        """Somebody uses a stage that the other system does not have."""
        _, tom = self.sandbox.people
        did = []
        for card, row in self._pairs(wanted.times or 1):
            stage = f"On hold {next(self._numbers)}"
            kind = "Sales Stage" if isinstance(self._crm, ERPNextDouble) else "sales-stage"
            self._crm.add(kind, tom.email, stage_name=stage)
            self._crm.move(row, stage, tom.email)
            title = self.sandbox.nexudus.record(card)["Name"]
            did.append(
                f"“{title}” ({card} ⇄ {row}): {tom.first_name} moved it to the new stage “{stage}” in "
                f"{self.sandbox.crm.title}, which Nexudus does not have."
            )
        return Told(
            did,
            [
                "nexudus-sync sync, then nexudus-sync failures list: the reason names the line to add to the mapping",
                "add it, or move the opportunity to another stage, and: nexudus-sync sync",
            ],
        )

    def delete(self, wanted: Wanted) -> Told:
        """Somebody deletes opportunities in the CRM."""
        _, tom = self.sandbox.people
        rows = self._rows(wanted.times or 1)
        for row in rows:
            self._crm.delete(row, tom.email)
        some = ", ".join(rows[:3]) + (f" and {len(rows) - 3:,} more" if len(rows) > 3 else "")
        return Told(
            [f"{tom.first_name} deleted {len(rows):,} in {self.sandbox.crm.title}: {some}."],
            [
                'nexudus-sync sync --reconcile: the pairs are closed, and the cards stay (deletes = "ignore")',
                "nexudus-sync links list",
                "a tenth of all pairs at once sets a brake: nexudus-sync sandbox trigger delete --times 60",
            ],
        )

    def outage(self, wanted: Wanted) -> Told:
        """A system does not answer for a while."""
        sandbox = self.sandbox
        faults = sandbox.nexudus_faults if wanted.system == "nexudus" else sandbox.crm_faults
        name = "Nexudus" if wanted.system == "nexudus" else sandbox.crm.title
        until = sandbox.nexudus.clock() + timedelta(seconds=wanted.seconds)
        faults.add("error_500_before", lambda _: sandbox.nexudus.clock() < until, share=1.0)
        return Told(
            [f"{name} answers nothing but errors for {wanted.seconds} seconds."],
            [
                "nexudus-sync sync: exit code 1, and nothing is lost",
                "leave `run` running: it logs the problem, waits longer each time, and continues by itself",
            ],
        )

    def import_(self, wanted: Wanted) -> Told:
        """Somebody imports new amounts for most opportunities of the CRM."""
        _, tom = self.sandbox.people
        rows = self._rows(wanted.times or len(self._all()) * 6 // 10)
        for row in rows:
            self._crm.edit(row, tom.email, opportunity_amount=Decimal(1000 + next(self._numbers)))
        return Told(
            [f"{tom.first_name} imported new amounts for {len(rows):,} opportunities in {self.sandbox.crm.title}."],
            [
                "nexudus-sync sync: with 100 pairs or more, the brake mass-change stops it",
                "nexudus-sync brake show",
                "nexudus-sync brake release mass-change, then sync again: the amounts are carried over",
            ],
        )

    def restamp(self, wanted: Wanted) -> Told:
        """A job saves every opportunity of the CRM without changing one."""
        _, tom = self.sandbox.people
        rows = self._all() if wanted.times is None else self._rows(wanted.times)
        for row in rows:
            self._crm.touch(row, tom.email)
        return Told(
            [f"A job saved {len(rows):,} opportunities in {self.sandbox.crm.title} again; none of them changed."],
            ["nexudus-sync sync: it looks at the contents, sets no brake, and writes nothing"],
        )

    @property
    def _crm(self) -> Any:
        return self.sandbox.crm.double

    def _pairs(self, times: int) -> list[tuple[int, str]]:
        """Pairs that say the same on both sides, are in progress, and were not used before."""
        nexudus, found = self.sandbox.nexudus.records(), []
        for card, row in self.sandbox.seeded.equal:
            if row not in self._used and row in self._crm.records() and nexudus.get(card, {}).get("Status") == 1:
                found.append((card, row))
        if len(found) < times:
            raise ValueError(f"only {len(found)} pairs are left for it; start a larger sandbox")
        self._used |= {row for _, row in found[:times]}
        return found[:times]

    def _all(self) -> list[str]:
        """The opportunities of London's company, as they are now."""
        company = self.sandbox.seeded.places.london.company
        return [row for row, record in self._crm.records().items() if record["company"] == company]

    def _rows(self, times: int) -> list[str]:
        """Opportunities that were not used before."""
        found = [row for row in self._all() if row not in self._used]
        if len(found) < times:
            raise ValueError(f"only {len(found)} opportunities are left for it; start a larger sandbox")
        return found[:times]


KINDS: dict[str, Callable[[Triggers, Wanted], Told]] = {
    "conflict": Triggers.conflict,
    "failure": Triggers.failure,
    "delete": Triggers.delete,
    "outage": Triggers.outage,
    "import": Triggers.import_,
    "restamp": Triggers.restamp,
}
"""What can be made to happen, by the word for it."""
