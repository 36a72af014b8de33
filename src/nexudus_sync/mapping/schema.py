"""What a mapping file may hold, and the one line about the first thing in it that is not right."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from nexudus_sync.errors import MappingError
from nexudus_sync.mapping.model import OnConflict, Sync
from nexudus_sync.mapping.sides import Side
from nexudus_sync.texts import nearest

Name = Annotated[StrictStr, Field(min_length=1)]
Names = Annotated[list[Name], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
Type = Literal["text", "link", "number", "decimal", "boolean", "day", "datetime", "stage", "user", "rows"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(_Table):
    """A field of either file: its place on the record and how it is written there."""

    path: Name | None = None
    type: Type = "text"
    values: dict[str, Names] | None = None
    key: Name | None = None
    blank: Name | None = None
    required: StrictBool = False
    zero_is_blank: StrictBool | None = None


class Default(_Table):
    """`on_unmapped = { default = "…" }`."""

    default: Name


class CrmPlace(Place):
    """A field of the CRM's file: its place, and how it travels."""

    sync: Sync = Sync.TWO_WAY
    on_conflict: OnConflict = OnConflict.NEWEST
    on_unmapped: Literal["park", "skip"] | Default = "park"


class _NexudusFile(_Table):
    """The Nexudus file."""

    fields: dict[str, Place] = {}


class _CrmFile(_Table):
    """A CRM's file."""

    fields: dict[str, CrmPlace] = {}


_POLICIES = CrmPlace.model_fields.keys() - Place.model_fields.keys()
_WORDS = {
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false",
    "list_type": "must be text or a list of texts; put a name that holds dots in quotes",
    "dict_type": "must be a table",
    "model_type": "must be a table",
}


def validated(data: dict[str, Any], source: str, side: Side) -> Mapping[str, Place]:
    """The file's fields, by name. Raises MappingError about the first thing to mend."""
    model = _CrmFile if side is Side.CRM else _NexudusFile
    try:
        fields = model.model_validate(data).fields
    except ValidationError as error:
        raise _refusal(error, data, source, side) from None
    if not fields:
        raise MappingError(source, "names no field", "add tables such as [fields.title]")
    return fields


def _refusal(error: ValidationError, data: dict[str, Any], source: str, side: Side) -> MappingError:
    found = error.errors()
    # A misspelt key goes first: it may explain whatever else is wrong.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    keys, given = _walk(data, first["loc"])
    where = f"{source}: {'.'.join(keys)}"
    if first["type"] == "extra_forbidden":
        return MappingError(where, "no such key", _instead(keys, side))
    if first["type"] in {"literal_error", "enum"}:
        return MappingError(where, *_choice(str(first["ctx"]["expected"]), given, keys[-1]))
    return MappingError(where, _WORDS[first["type"]])


def _walk(data: Any, location: Iterable[str | int]) -> tuple[list[str], Any]:
    """The keys that the file itself has on the way (pydantic adds names of its own), and what stands at their end."""
    keys: list[str] = []
    for part in location:
        if isinstance(part, int) or (isinstance(data, dict) and part in data):
            data = data[part]
            keys.append(str(part))
    return keys, data


def _instead(keys: list[str], side: Side) -> str:
    """What a misspelt key may have meant."""
    if len(keys) == 1:
        return nearest(keys[0], _CrmFile.model_fields)
    if len(keys) > 3:
        return nearest(keys[-1], Default.model_fields)
    if side is Side.CRM:
        return nearest(keys[-1], CrmPlace.model_fields)
    return "it belongs in the CRM's file" if keys[-1] in _POLICIES else nearest(keys[-1], Place.model_fields)


def _choice(expected: str, given: Any, key: str) -> tuple[str, str]:
    """What a key with a fixed set of words takes."""
    words = re.findall(r"'([^']+)'", expected)
    shown = [f'"{word}"' for word in words] + (['{ default = "…" }'] if key == "on_unmapped" else [])
    near = get_close_matches(given, words) if isinstance(given, str) else []
    return f"must be {', '.join(shown[:-1])} or {shown[-1]}", f"did you mean '{near[0]}'?" if near else ""
