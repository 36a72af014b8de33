"""Is an answer about the record that was asked for? Caches, proxies and merged records give answers about others.

Every read by id and every reply to a write is checked here before anything in it is believed.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from nexudus_sync.errors import AnotherRecord, AnsweredForAnother


def same_id(asked: object, told: object, *, fold: bool = False) -> bool:
    """Are the two ids the same? A number equals its text; `fold`: the system itself ignores case."""
    one, two = _spelt(asked), _spelt(told)
    return one.casefold() == two.casefold() if fold else one == two


def same_identity(one: str, other: str) -> bool:
    """Can two records with one id be the same? An unknown identity ("") differs from nothing."""
    return not one or not other or one == other


def expect(system: str, asked: object, told: object, *, what: str = "record", fold: bool = False) -> None:
    """Raises AnotherRecord when a read by id was answered with another id."""
    if not same_id(asked, told, fold=fold):
        problem = f"the answer is about another {what}, {_spelt(told)}; it was ignored"
        raise AnotherRecord(system, problem, _spelt(asked), told=_spelt(told))


def expect_reply(system: str, asked: object, told: object, *, what: str = "record", fold: bool = False) -> None:
    """Raises AnsweredForAnother when the reply to a write names another id. A reply that names no id (None) is fine."""
    if told is not None and not same_id(asked, told, fold=fold):
        problem = f"the reply to a write is about another {what}, {_spelt(told)}; the outcome is unknown"
        raise AnsweredForAnother(system, problem, _spelt(asked))


def expect_children(
    system: str, parent: object, rows: Iterable[Mapping[str, Any]], key: str, *, fold: bool = False
) -> None:
    """Raises AnotherRecord when child rows name another parent than the one they were asked for."""
    for row in rows:
        if row.get(key) is not None:
            expect(system, parent, row[key], what="record's rows", fold=fold)


def expect_made(system: str, sent: Mapping[str, Any], told: Mapping[str, Any], key: str, *, fold: bool = False) -> None:
    """Raises AnsweredForAnother when the reply to a create differs in a key that nothing changes."""
    if sent.get(key) and told.get(key) and not same_id(sent[key], told[key], fold=fold):
        problem = (
            f"the reply to a create is about another record, with {key} {_spelt(told[key])}; the outcome is unknown"
        )
        raise AnsweredForAnother(system, problem)


def expect_party(system: str, asked: str, told: object) -> None:
    """Raises AnsweredForAnother when the reply to the creation of a party shows another e-mail address."""
    if told and not same_id(asked, told, fold=True):
        raise AnsweredForAnother(system, f"the reply to the creation of {asked} is about {told}")


def _spelt(record_id: object) -> str:
    """An id as text: 7, "7" and 7.0 are the same."""
    if isinstance(record_id, Decimal) and record_id.is_finite() and record_id == record_id.to_integral_value():
        record_id = int(record_id)
    return str(record_id).strip()
