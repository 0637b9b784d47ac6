"""The HTTP edge: everything that knows headers, status codes and server-sent events, and nothing else.

`routes()` and `wrap()` are all that `gateway/app.py` needs. A route finds the `Runtime` at
`request.app.state.runtime`.
"""

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException

from gateway.api import admin, chat, health, models, usage
from gateway.api.intake import Intake
from gateway.api.middleware import Edge, unrouted
from gateway.settings import Settings


def routes() -> list[APIRouter]:
    """Every route of the API."""
    return [chat.router, models.router, usage.router, health.router, admin.router]


def wrap(app: FastAPI, settings: Settings) -> FastAPI:
    """Put the edge around `app`, before it starts; returns the same app.

    It goes inside Starlette's own stack, because that answers unknown paths and bugs in plain text before any outer
    layer sees them. Slashes are not redirected: a redirect would be built from the client's Host header.
    """
    app.router.redirect_slashes = False
    app.add_exception_handler(HTTPException, unrouted)
    app.add_middleware(Intake, limits=settings.server)
    app.add_middleware(Edge)  # added last, so outermost
    return app
