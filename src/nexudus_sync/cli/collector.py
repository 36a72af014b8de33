"""The garbage collector in a process of our own: it looks less often, and not at what stays for good.

A cycle makes many objects that live until it ends, and few that only the collector finds. Left as it is, it looks at
all that was imported again and again: a seventh of the processor time of a backfill.
"""

import gc
from dataclasses import dataclass

THRESHOLD = (20_000, 50, 50)
"""Objects made between two looks at the youngest, and how many looks between those at the older ones."""


@dataclass
class _Process:
    ours: bool = False


_process = _Process()


def take_over() -> None:
    """Say that the process is a command of ours, and nothing else's."""
    _process.ours = True
    gc.set_threshold(*THRESHOLD)


def settle() -> None:
    """Let the collector forget what is there now: modules, mappings, connectors. Only in a process of our own."""
    if _process.ours:
        gc.collect()
        gc.freeze()
