"""Mapping files, a person's and those that come with the package. The only part of `mapping` that reads files."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from nexudus_sync.errors import MappingError
from nexudus_sync.files import Unfit, read_text
from nexudus_sync.texts import nearest


def shipped_names() -> tuple[str, ...]:
    """The names of the shipped mappings, such as "nexudus"."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml")))


def shipped(name: str) -> str:
    """The text of a shipped mapping. Raises MappingError when there is none of that name."""
    names = shipped_names()
    if name not in names:
        raise MappingError(f"{name}.toml", "no such mapping is shipped", nearest(name, names))
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def load_file(path: Path) -> tuple[str, str]:
    """The text of a mapping file and the name that errors give it; a shipped one's where the path does not exist.

    Raises MappingError.
    """
    if not path.exists() and path.suffix == ".toml" and path.stem in shipped_names():
        return shipped(path.stem), path.name
    try:
        return read_text(path), str(path)
    except FileNotFoundError:
        raise MappingError(str(path), "no such file", f"shipped mappings: {', '.join(shipped_names())}") from None
    except OSError as error:
        raise MappingError(
            str(path), f"cannot be read: {error.strerror}", "check the path and its permissions"
        ) from None
    except Unfit as unfit:
        raise MappingError(str(path), str(unfit), "name a mapping file") from None
    except UnicodeDecodeError:
        raise MappingError(str(path), "is not UTF-8 text", "save it as UTF-8") from None


def _folder() -> Traversable:
    """Inside the installed package, or in the checkout that an editable install points to."""
    inside = resources.files("nexudus_sync") / "mappings"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "mappings"
