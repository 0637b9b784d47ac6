"""The HTTP edge: everything that knows headers, status codes and server-sent events, and nothing else.

`routes()` and `wrap()` are all that `gateway/app.py` needs. FastAPI serves its routes; the inference endpoints are
answered before it (`inference.py`). Both find the `Runtime` at `request.app.state.runtime`.
"""

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException

from gateway.api import admin, feedback, health, models, openapi, usage
from gateway.api.anthropic import COUNT_TOKENS, MESSAGES
from gateway.api.chat import read_chat
from gateway.api.completions import read_completion
from gateway.api.embeddings import EMBEDDING
from gateway.api.endpoint import Endpoint
from gateway.api.inference import Inference, generation
from gateway.api.intake import Intake
from gateway.api.middleware import Edge, unanswered, unrouted
from gateway.api.responses import RESPONSES
from gateway.settings import Settings

ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/chat/completions": generation(read_chat),
    "/v1/responses": RESPONSES,
    "/v1/completions": generation(read_completion),
    "/v1/embeddings": EMBEDDING,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNT_TOKENS,
}


def routes() -> list[APIRouter]:
    """Every route of the API but the inference endpoints."""
    return [models.router, usage.router, feedback.router, health.router, admin.router, openapi.router]


def wrap(app: FastAPI, settings: Settings) -> FastAPI:
    """Put the edge around `app`, before it starts; returns the same app.

    It goes around Starlette's own stack, which no inference request has to pass; unknown paths and bugs, which that
    would answer in plain text, leave it as they are. Slashes are not redirected: a redirect would be built from the
    client's Host header. `app.openapi()` describes all of it.
    """
    app.openapi = partial(openapi.description, app)  # type: ignore[method-assign] # as FastAPI has it be extended
    app.router.redirect_slashes = False
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(Exception, unanswered)
    inference = Inference(app.build_middleware_stack(), ENDPOINTS)
    app.middleware_stack = Edge(Intake(inference, settings.server), ENDPOINTS)
    return app
