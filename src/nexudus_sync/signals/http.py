"""What monitoring asks for over HTTP."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def routes() -> list[Route]:
    """`/healthz`: the process answers."""
    return [Route("/healthz", _alive, methods=["GET"])]


async def _alive(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")
