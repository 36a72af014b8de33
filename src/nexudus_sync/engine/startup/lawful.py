"""Does each mapping keep the laws? One that does not round-trip must not touch a record.

To check a mapping takes a good part of a second, so the store remembers those that were found sound, by which checker.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nexudus_sync.engine.connection import fingerprint
from nexudus_sync.errors import MappingError, StoreError
from nexudus_sync.mapping import Mapping, laws
from nexudus_sync.store import Store, facts

LAWS = "mapping laws"
"""Under this the store remembers the mappings that kept the laws, each with its checker."""
CHECKER = Path(laws.__file__).parent
"""The code on which the verdict about a mapping depends."""


def check_once(store: Store, mappings: Iterable[Mapping], *, checked: bool = False) -> None:
    """Check the mappings that the store does not know to keep the laws; `checked`: they were just now.

    Raises MappingError for the first that does not, StoreError.
    """
    checker = fingerprint("".join(one.read_text() for one in sorted(CHECKER.glob("*.py"))))
    asked = {f"{fingerprint(repr(mapping))} {checker}": mapping for mapping in mappings}
    with store.read() as session:
        known = facts.values(session, LAWS)
    new = {name: mapping for name, mapping in asked.items() if name not in known}
    if not checked:
        check(new.values())
    if new:
        with suppress(StoreError), store.session() as session:  # else it is checked again next time
            facts.keep(session, LAWS, dict.fromkeys(new, True))


def check(mappings: Iterable[Mapping]) -> None:
    """Raise MappingError for the first mapping that does not round-trip."""
    seen: list[Mapping] = []
    for mapping in mappings:
        if mapping in seen:
            continue
        seen.append(mapping)
        for finding in laws.check(mapping):
            if finding.level == "fail":
                raise _broken(mapping, finding)


def _broken(mapping: Mapping, finding: laws.Finding) -> MappingError:
    if finding.law == laws.DEFAULT:
        return MappingError(f"{mapping.crm.source}: fields.{finding.field}.on_unmapped", finding.detail)
    where = f"{mapping.nexudus.source}, {mapping.crm.source}: fields.{finding.field}"
    remedy = "correct the field; `nexudus-sync mapping check` shows all findings"
    return MappingError(
        where, f"fails the check '{laws.NAMES.get(finding.law, finding.law)}': {finding.detail}", remedy
    )
