"""What monitoring asks for over HTTP: is it alive, and is all well?"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.errors import StoreError
from nexudus_sync.signals.health import Verdict, judge
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.store import Store

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def routes(settings: Callable[[], Settings], store: Store, clock: Clock, metrics: Metrics) -> list[Route]:
    """`/healthz` and `/readyz`: 200 or 503, with the verdict as JSON; `/metrics`: the figures for Prometheus.

    `/healthz` asks whether `run` lives: if not, starting it again helps. `/readyz` asks whether all is well: a brake
    needs a person, not a new start.
    """

    def asked(good: Callable[[Verdict], bool]) -> Callable[[Request], JSONResponse]:
        def answer(request: Request) -> JSONResponse:
            try:
                with store.read() as session:
                    verdict = judge(session, settings(), clock.now())
            except StoreError as error:
                return JSONResponse({"healthy": False, "error": str(error)}, 503)
            return JSONResponse(verdict.as_json(), 200 if good(verdict) else 503)

        return answer

    def figures(request: Request) -> Response:
        try:
            return Response(metrics.text(), media_type=_TEXT)
        except StoreError as error:
            return Response(f"# {error}\n", 503, media_type="text/plain")

    return [
        Route("/healthz", asked(lambda verdict: verdict.alive), methods=["GET"]),
        Route("/readyz", asked(lambda verdict: verdict.healthy), methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]
