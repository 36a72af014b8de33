"""Text that a system keeps the way HTML writes it: what people typed as `Desk & Co <Ltd>` stands there escaped."""

import re

_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "#34": '"', "#39": "'", "#x27": "'"}
"""What HTML sanitizers write for a character, and nothing else: `&copy;` is what somebody meant to say."""
_REFERENCE = re.compile(f"&({'|'.join(_CHARACTERS)});", re.IGNORECASE)


def plain(text: str) -> str:
    """What people see of a kept text, undone once: `&amp;amp;` stands for `&amp;`."""
    return _REFERENCE.sub(lambda found: _CHARACTERS[found[1].lower()], text)


def kept(text: str) -> str:
    """What to write so that people see this text; as it is unless it would be read as another."""
    if plain(text) == text:
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
