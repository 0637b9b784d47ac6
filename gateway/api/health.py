"""Is it alive, is it ready, and how is it doing: for load balancers and Prometheus, without a key.

`live` only says that the event loop turns: restarting helps when it does not. `ready` says whether to send requests: a
stopping gateway is not ready, but still answers what arrives.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

router = APIRouter()


@router.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """200, or 503 with what is missing, one line each. `warnings`: what is wrong though every request is answered."""
    runtime = request.app.state.runtime
    faults = ["the gateway is stopping"] if runtime.draining else runtime.faults()
    status = 503 if faults else 200
    told = {"status": "unready" if faults else "ok", "faults": faults, "warnings": runtime.warnings()}
    return JSONResponse(told, status)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus' text format, version 0.0.4; of all workers, whichever is asked."""
    return Response(request.app.state.runtime.metrics.render(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
