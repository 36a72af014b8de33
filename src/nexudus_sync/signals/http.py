"""What monitoring asks for over HTTP: is it alive, and is all well?"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.errors import StoreError
from nexudus_sync.signals.health import Verdict, judge
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.store import Store

SEES = "nexudus_sync.sees"
"""In a request's scope, of somebody whose name and password were right: the tenants that they may see, None for all."""
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_WHO = {"www-authenticate": 'Basic realm="nexudus-sync", charset="UTF-8"'}


def routes(settings: Callable[[], Settings], store: Store, clock: Clock, metrics: Metrics) -> list[Route]:
    """`/healthz` and `/readyz`: 200 or 503, with the verdict as JSON; `/metrics`: the figures for Prometheus.

    `/healthz` asks whether `run` lives: if not, starting it again helps. `/readyz` asks whether all is well: a brake
    needs a person, not a new start. In a fleet where not everybody may see every tenant, the figures are for who gives
    a name and a password, and the verdict names nothing to anybody else.
    """

    def asked(good: Callable[[Verdict], bool]) -> Callable[[Request], JSONResponse]:
        def answer(request: Request) -> JSONResponse:
            now, shown = settings(), _shown(request, settings())
            try:
                with store.read() as session:
                    verdict = judge(session, now if shown is None else shown, clock.now())
            except StoreError as error:
                return JSONResponse({"healthy": False, "error": str(error)}, 503)
            said = verdict.as_json() if shown is not None else _bare(verdict)
            return JSONResponse(said, 200 if good(verdict) else 503)

        return answer

    def figures(request: Request) -> Response:
        if _shown(request, settings()) is None:
            return Response("Give a name and a password of [[web.users]].\n", 401, headers=_WHO)
        try:
            return Response(metrics.text(request.scope.get(SEES)), media_type=_TEXT)
        except StoreError as error:
            return Response(f"# {error}\n", 503, media_type="text/plain")

    return [
        Route("/healthz", asked(lambda verdict: verdict.alive), methods=["GET"]),
        Route("/readyz", asked(lambda verdict: verdict.healthy), methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]


def _shown(request: Request, settings: Settings) -> Settings | None:
    """What the asker may see: all of it, some tenants, or None for nothing by name."""
    if SEES in request.scope:
        tenants = request.scope[SEES]
        return settings if tenants is None else settings.only(tenants)
    secret = settings.in_fleet and any(user.tenants is not None for user in settings.web.users)
    return None if secret else settings


def _bare(verdict: Verdict) -> dict[str, Any]:
    """The verdict without a name."""
    return {**verdict.as_json(), "connections": [], "problems": []}
