"""The application that `run` serves. The pages and the signals are routes; each room makes its own."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute


def build(routes: Sequence[BaseRoute]) -> Starlette:
    """The application with these routes. Nothing is requested from elsewhere, and no traceback is shown."""
    return Starlette(debug=False, routes=list(routes))
