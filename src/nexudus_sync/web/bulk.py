"""Several items answered at once: always by way of a preview, and only as long as they are as it showed them."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from nexudus_sync.deciding import conflicts, failures
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import inbox as items
from nexudus_sync.store.ask import Ask
from nexudus_sync.store.failures import of_numbers
from nexudus_sync.store.inbox import Together
from nexudus_sync.texts import plural
from nexudus_sync.web.inbox import filter_of
from nexudus_sync.web.naming import names_of
from nexudus_sync.web.sessions import Notice
from nexudus_sync.web.view import View

_AT_ONCE = 200
"""Answers that are stored in one transaction, so that a cycle never waits long for its turn."""
_SHOWN = 50
"""Items that a preview names; it counts the others."""
_LONGEST = 15
"""The characters of a key from which on no item can have it."""
_KEPT = ("q", "kind", "field", "connection", "age", "list")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is answered at once: conflicts with `side`, or failures with `verb`."""

    answer: str
    together: Together

    @property
    def side(self) -> Side | None:
        """The side whose values are kept, None for failures."""
        return Side(self.answer) if self.answer in {side.value for side in Side} else None


def preview(view: View) -> Response:
    """What an answer to several items would do."""
    return _preview(view, moved=False)


def _preview(view: View, *, moved: bool) -> Response:
    said = view.form or view.query
    whole = said.get("all") == "yes"
    keys = [] if whole else view.chosen or view.request.query_params.getlist("item")
    with view.asking() as ask:
        chosen = _chosen(view, ask, said.get("answer", ""), keys)
        what = "c" if chosen.side else "f"
        shown = items.some(ask, [f"{what}{number}" for number in chosen.together.numbers[:_SHOWN]])
        left = [one for one in items.some(ask, keys) if not one.together and one.connection in view.desk.names]
        names = names_of(ask, [*shown, *left])
    fields = [(key, said[key]) for key in _KEPT if said.get(key)]
    return view.page(
        "preview.html",
        chosen=chosen,
        total=len(chosen.together.numbers),
        items=shown,
        names=names,
        left=left,
        fields=fields,
        keys=keys,
        whole=whole,
        back=view.to(f"/inbox?{urlencode(fields)}"),
        moved=moved,
    )


def bulk(view: View) -> Response:
    """Carry out what a preview showed; what has changed since is shown again instead."""
    whole = view.form.get("all") == "yes"
    with view.asking() as ask:
        chosen = _chosen(view, ask, view.form.get("answer", ""), [] if whole else view.chosen)
    if chosen.together.seen != view.form.get("seen"):
        return _preview(view, moved=True)
    done, text = 0, ""
    if chosen.side is not None:
        done = _keep(view, chosen.side, chosen.together.numbers)
        text = f"{plural(done, 'conflict is', 'conflicts are')} decided, and carried out at the next cycle."
    elif view.form["answer"] == "retry":
        done = _retry(view, chosen.together.numbers)
        text = f"{plural(done, 'failure is', 'failures are')} tried again at the next cycle."
    else:
        done = _dismiss(view, chosen.together.numbers)
        text = f"{plural(done, 'failure is', 'failures are')} dismissed."
    missed = len(chosen.together.numbers) - done
    text += f" {plural(missed, 'item was', 'items were')} settled meanwhile." if missed else ""
    return view.go(view.to("/inbox"), Notice(text))


def _chosen(view: View, ask: Ask, answer: str, keys: list[str]) -> Chosen:
    """The items of the filter, or of those keys alone, that the answer can be given to. Raises ConfigError."""
    if answer not in ("nexudus", "crm", "retry", "dismiss"):
        raise ConfigError("the answer", "is missing", "choose one of those that the list offers")
    wanted, sort = filter_of(view), "f" if answer in ("retry", "dismiss") else "c"
    known = [key for key in keys if key.startswith(sort) and key[1:].isdecimal() and len(key) < _LONGEST]
    numbers = tuple(int(key[1:]) for key in known)
    if sort == "f":
        return Chosen(answer, items.failures_together(ask, wanted, numbers if keys else None))
    return Chosen(answer, items.conflicts_together(ask, wanted, numbers if keys else None))


def _keep(view: View, side: Side, numbers: tuple[int, ...]) -> int:
    done = 0
    for part in _parts(numbers):
        with view.desk.store.session() as session:
            for number in part:
                try:
                    conflicts.take(session, view.desk.settings, number, side, by=view.user, now=view.now)
                except SyncError:  # a cycle closed it since it was counted
                    continue
                done += 1
    return done


def _retry(view: View, numbers: tuple[int, ...]) -> int:
    done = 0
    for part in _parts(numbers):
        with view.desk.store.session() as session:
            found = [one for one in of_numbers(session, part) if one.state != "solved"]
            failures.retry_all(session, view.desk.settings, found, now=view.now)
            done += len(found)
    return done


def _dismiss(view: View, numbers: tuple[int, ...]) -> int:
    done = 0
    for part in _parts(numbers):
        with view.desk.store.session() as session:
            for one in of_numbers(session, part):
                if one.state == "open":
                    failures.dismiss(session, view.desk.settings, one.id or 0)
                    done += 1
    return done


def _parts(numbers: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return (numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE))
