"""How this ERPNext behaves where a site's settings or its load decide."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`seconds` of server time in each `window` (seconds), for the whole site."""

    seconds: float
    window: int


@dataclass(slots=True)
class ERPNextOptions:
    """May be changed while it runs."""

    rate_limit: RateLimit | None = None
    """Off by default, as on a new site."""
    seconds_per_call: float = 0.03
    """The server time a request takes, as the rate limit counts it."""
    late_commit: float = 0.0
    """Seconds a person's save takes from its stamp to its commit: it then appears behind later stamps."""
    deadlocks: int = 0
    """The database rolls back the next N writes and answers QueryDeadlockError."""
    maintenance: bool = False
    """Every request is answered with 503."""
    longest_url: int = 4094
    """Characters of path and query; a longer one is answered with a page, 414."""
