"""What to do with an unlinked record, by the first line that applies (`plan_unlinked`).

what the two sides' unlinked records say | one on either side | several
-----------------------------------------+--------------------+------------------------------------------
an external key names the other          | PAIR               | ASK
same e-mail and title, or a rendering    | PAIR               | ASK
same e-mail (not just "n/a"), both open  | PAIR               | ASK between the open ones without a twin
anything else                            | CREATE it on the other side, or LEAVE it if it is too old
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

from nexudus_sync.addresses import names_people
from nexudus_sync.mapping import Side
from nexudus_sync.mapping.titles import renderings, twins, without_twins

APART = timedelta(hours=1)
"""A record created this long after the copy is a different record that reused the id."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An unlinked record as matching knows it.

    `email` is normalised for comparison, even if it is not a valid address; `external_key` is the value of its key
    field.
    """

    side: Side
    id: str
    email: str | None
    title: str | None
    is_open: bool
    external_key: str | None = None
    created_at: datetime | None = None


class UnlinkedAction(Enum):
    """What a cycle does with an unlinked record."""

    PAIR = "pair"
    ASK = "ask"
    CREATE = "create"
    LEAVE = "leave"


BY_EMAIL = "e-mail"
"""The reason for a pair that has only its e-mail address in common."""


@dataclass(frozen=True, slots=True)
class UnlinkedPlan:
    """`partner` is the record to PAIR with; `candidates` those a person has to choose from."""

    action: UnlinkedAction
    partner: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    reason: str = ""


def plan_unlinked(
    record: Candidate,
    own: list[Candidate],
    others: list[Candidate],
    key_of: Callable[[Candidate], str],
    since: date | None = None,
) -> UnlinkedPlan:
    """Match a record, else create it; the table at the top.

    `own` are the unlinked records of its side with its e-mail (itself included), `others` the other side's, and those
    that an external key connects with it. `key_of` gives the external key that names a record. `since`: nothing older
    is created.
    """

    def names(one: Candidate, two: Candidate) -> bool:
        return one.external_key == key_of(two) and not _is_later_stranger(two, one)

    def named(one: Candidate, two: Candidate) -> bool:
        return names(one, two) or names(two, one)

    def free(candidates: list[Candidate], others: list[Candidate]) -> list[Candidate]:
        """The candidates that no external key connects with any of the others."""
        keys, theirs = {key_of(o) for o in others}, {o.external_key for o in others}

        def unnamed(one: Candidate) -> bool:
            return one.external_key not in keys and key_of(one) not in theirs

        return [c for c in candidates if unnamed(c) or not any(named(c, o) for o in others)]

    partners = [o for o in others if named(record, o)]
    if partners:  # one was made from the other, whatever else they say
        return _one_of(partners, [c for c in own if named(c, partners[0])], "external key")
    return _by_email(record, free(own, others), free(others, own)) or _create(record, since)


def _is_later_stranger(named: Candidate, copy: Candidate) -> bool:
    """Does a copy's external key name a different record that reused the id of the one that was copied?

    It belongs to another customer then, and was created after the copy, by more than two servers' clocks can differ.
    """
    if not (named.email and copy.email and named.created_at and copy.created_at):
        return False  # too little is known to doubt the key
    return named.email != copy.email and named.created_at - copy.created_at > APART


def _by_email(record: Candidate, own: list[Candidate], others: list[Candidate]) -> UnlinkedPlan | None:
    """Match by e-mail; None if nothing fits. A match holds from either side, and with no other record."""
    if not record.email:  # nothing tells whose it is
        return None
    others = [o for o in others if o.email == record.email]
    same = twins(record, others)
    if same:
        return _one_of(same, twins(record, own), "e-mail and title")
    # A record with a twin on the other side belongs to that twin and matches no other.
    rest, own_rest = without_twins(others, own), without_twins(own, others)
    kept = renderings(record, rest)
    if kept:  # the title as the other system keeps it: cut, escaped, with characters replaced
        return _one_of(kept, renderings(kept[0], own_rest), "e-mail and title")
    if not record.is_open or not names_people(record.email):  # an old deal, or an "n/a" that many people share
        return None
    if len(own) == 1 and len(others) == 1 and others[0].is_open:  # this customer's only deal on either side
        return UnlinkedPlan(UnlinkedAction.PAIR, others[0], reason=BY_EMAIL)
    return _between_open(_no_renderings(rest, own_rest), record.email)


def _no_renderings(candidates: list[Candidate], others: list[Candidate]) -> list[Candidate]:
    """The candidates whose title no other record keeps in another spelling: the rest belong to those."""
    return [candidate for candidate in candidates if not renderings(candidate, others)]


def _between_open(candidates: list[Candidate], email: str) -> UnlinkedPlan | None:
    """Ask a person to choose between the open ones, if there are any: a closed one is another, older deal."""
    rivals = tuple(candidate for candidate in candidates if candidate.is_open)
    if not rivals:
        return None
    return UnlinkedPlan(UnlinkedAction.ASK, candidates=rivals, reason=f"several records share {email}")


def _one_of(alike: list[Candidate], own_alike: list[Candidate], what: str) -> UnlinkedPlan:
    """PAIR if there is one on either side, else ASK a person to choose."""
    if len(alike) == 1 and len(own_alike) <= 1:
        return UnlinkedPlan(UnlinkedAction.PAIR, alike[0], reason=what)
    return UnlinkedPlan(UnlinkedAction.ASK, candidates=tuple(alike), reason=f"several records share {what}")


def _create(record: Candidate, since: date | None) -> UnlinkedPlan:
    if since is not None and (record.created_at is None or record.created_at.date() < since):  # or of unknown age
        return UnlinkedPlan(UnlinkedAction.LEAVE, reason=f"created before {since.isoformat()}")
    return UnlinkedPlan(UnlinkedAction.CREATE)
