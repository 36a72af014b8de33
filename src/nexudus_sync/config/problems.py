"""What is wrong with a table, as one line that a person can act on: file and key, the problem, the remedy."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from nexudus_sync.config.toml import Location, is_reference, place, references
from nexudus_sync.errors import ConfigError
from nexudus_sync.texts import nearest

_WORDS = {
    "missing": "is missing; add it",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string_type": "must be text in quotes",
    "string_sub": "must be text in quotes",
    "path": "must be a path in quotes",
    "list": "must be a list in [brackets]",
    "tuple": "must be a list in [brackets]",
    "frozen_set": "must be a list in [brackets]",
    "model": "must be a table",
    "dict": "must be a table",
    "too_short": "is empty; add one",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}
"""By the start of pydantic's error type: the problem, and after a semicolon the remedy."""
_HEADINGS = {
    "connection": "belongs under a heading [[connection]], with two brackets",
    "crm": "belongs under a heading [crm.NAME], with the name you give the CRM",
}


def refuse(
    error: ValidationError, model: type[BaseModel], path: Path, prefix: Location = (), raw: Any = None
) -> ConfigError:
    """The ConfigError for the first problem to correct; a misspelt key comes before the key it leaves missing.

    `raw` is what the file says, where it may name environment variables.
    """
    return _problem(error.errors(include_url=False, include_input=False), model, path, prefix, raw)


def refuse_loose(
    error: ValidationError, model: type[BaseModel], path: Path, prefix: Location, raw: Any
) -> ConfigError | None:
    """The same for values of the wrong type, unless they come from environment variables."""
    found = [
        one
        for one in error.errors(include_url=False, include_input=False)
        if one["type"] != "json_invalid" and not _source(raw, one["loc"])
    ]
    return _problem(found, model, path, prefix, raw) if found else None


def _problem(found: list[ErrorDetails], model: type[BaseModel], path: Path, prefix: Location, raw: Any) -> ConfigError:
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location: Location = first["loc"]
    if first["type"] == "extra_forbidden":
        return ConfigError(
            place(path, (*prefix, *location)), "no such key", nearest(str(location[-1]), _keys(model, location[:-1]))
        )
    problem, _, remedy = _say(first["type"], first.get("ctx", {}), first["msg"]).partition("; ")
    if first["type"] in {"list_type", "dict_type"} and location[0] in _HEADINGS and not prefix:
        problem, remedy = _HEADINGS[str(location[0])], ""
    return ConfigError(place(path, (*prefix, *location)) + _source(raw, location), problem, remedy)


def _source(raw: Any, location: Location) -> str:
    """The environment variables that a value came from, in words."""
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return ""
    names = sorted(references(raw)) if isinstance(raw, str) else []
    return f" (environment variable {', '.join(names)})" if names else ""


def _say(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "too_short" and context.get("min_length", 1) > 1:
        return f"has fewer than {context['min_length']} characters; choose a longer one"
    words = next((words for start, words in _WORDS.items() if kind.startswith(start)), None)
    return message[:1].lower() + message[1:] if words is None else words.format(**context)


def refuse_literal_secrets(raw: Any, annotation: Any, path: Path, location: Location) -> None:
    """Raise ConfigError for a secret written in the file.

    `raw` is what the file says, before `substitute`; `annotation` is the model or type it has to fit.
    """
    if isinstance(raw, dict):
        for key, value in raw.items():
            refuse_literal_secrets(value, _fields(annotation).get(key, annotation), path, (*location, key))
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            refuse_literal_secrets(value, annotation, path, (*location, index))
    elif SecretStr in {annotation, *get_args(annotation)} and not is_reference(raw):
        names = [part for part in location if isinstance(part, str)]  # a number cannot begin a variable's name
        variable = "_".join(names[-2:]).upper().replace("-", "_")
        remedy = f'write "${{{variable}}}" and set that environment variable'
        raise ConfigError(place(path, location), "a secret must not be in the file", remedy)


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    here: Any = model
    for part in location:
        # a list's index or a free key is not a field name: the models inside are those of the list
        here = _fields(here).get(str(part), here)
    return list(_fields(here))


def _fields(annotation: Any) -> dict[str, Any]:
    return {
        field.alias or name: field.annotation
        for model in _models(annotation)
        for name, field in model.model_fields.items()
    }


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
