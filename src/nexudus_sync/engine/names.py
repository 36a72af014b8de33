"""Names that a mapping file writes and a system does not have: refused before anything is written."""

from collections.abc import Iterator
from difflib import get_close_matches

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.errors import MappingError
from nexudus_sync.mapping import Context, Field, Side

_NAMING = frozenset({"stage", "user", "link"})
"""The types whose values are names in a system's own list."""


async def refuse_missing(bridge: Bridge) -> None:
    """Raises MappingError for the first such name. Asks nothing of the systems where no file writes names."""
    named = [field for field in bridge.mapping.fields if _writes_names(field)]
    if not named:
        return
    contexts = {side: await bridge.context(side, {}) for side in Side}
    for field in named:
        for where, problem in missing_names(field, contexts):
            raise MappingError(where, problem)


def _writes_names(field: Field) -> bool:
    lenses = [field.lens(side) for side in Side]
    return any(lens.kind.name in _NAMING for lens in lenses) and any(lens.values is not None for lens in lenses)


def missing_names(field: Field, contexts: dict[Side, Context]) -> Iterator[tuple[str, str]]:
    """The names in the field's value tables that a side's list (of stages, of users) lacks: where, and the problem."""
    for side in Side:
        lens = field.lens(side)
        directory = lens.kind.directory(contexts[side])
        if directory is None:
            continue
        other = field.lens(side.other).values
        named = [(lens.values.where, own) for own, _ in lens.values.entries] if lens.values else []
        if other is not None and lens.values is None:
            named += [(f"{other.where}.{own}", values[0]) for own, values in other.entries]
        for where, name in named:
            if not lens.kind.exists(name, contexts[side]):
                yield where, _no_such(lens.kind.system, name, directory.names())


def _no_such(system: str, name: str, names: tuple[str, ...]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    remedy = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(names) or 'none'}"
    return f"{system} has no '{name}'; {remedy}"
