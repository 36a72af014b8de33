"""What an operator changes while the sync is at work: rules of the connection, and the CRM's mapping file."""

import random

from sim_world import SimWorld

FIELDS = ("utm_source", "utm_medium", "utm_campaign")
RULES = (
    'sync = "off"',
    'sync = "from-nexudus"',
    'sync = "from-crm"',
    'on_conflict = "crm"',
    'on_conflict = "manual"',
    "",
)


def reconfigure(world: SimWorld, rng: random.Random) -> str:
    """Change something in the files, for the next process to read; says what, for the trace."""
    if rng.random() < 0.3:
        world.settings["deletes"] = rng.choice(["ignore", "propagate"])
        return f"deletes = {world.settings['deletes']}"
    field, rule = rng.choice(FIELDS), rng.choice(RULES)
    world.rules[field] = rule
    return f"{field}: {rule or 'as shipped'}"
