"""What holds for every request, whatever its route: an id, one shape of error, one line of log.

A pure ASGI layer, for a `BaseHTTPMiddleware` would break streams and context variables. It knows no route.

Invariants: whatever is raised below is rendered here and nowhere else; every request is logged once, without headers,
query or body, for these hold secrets and prompts; the request id is ours, because the journal's ids must be unique.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NoReturn

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.access import AccessLog
from gateway.api.auth import refuse_method
from gateway.api.connection import stopping
from gateway.api.endpoint import Endpoint, Shape, openai
from gateway.api.failure import wire_of
from gateway.api.headers import of_limits
from gateway.errors import LEFT, NotFound

TIMEOUT = 408  # the only refusal of a request that has not come in whole
SHOWN = 256  # characters of a path that are logged
ID_HEADERS = (b"x-request-id", b"request-id")  # as OpenAI's clients read it, and Anthropic's
CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")  # what routes have


class Edge:
    """Gives each request its id, renders whatever it raises, and logs it; `endpoints` (by path) say in what shape, at
    their paths and below: a client of an API that asks it for what is not here can read no other.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint] = MappingProxyType({})) -> None:
        self._app = app
        self._shapes = [(f"{path}/", endpoint.refusal) for path, endpoint in endpoints.items()]
        self._log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lives(scope, receive, send)
            return
        visit = Visit(scope, send, self._shape(f"{scope['path']}/"))
        try:
            await self._app(scope, receive, visit.send)
        except ClientDisconnect:
            visit.status = LEFT
        except asyncio.CancelledError:  # the end of a stop's grace
            await visit.fail(stopping())
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of a Rust library is no Exception
            await visit.fail(error)
        finally:
            visit.log(self._log)

    async def _lives(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application from its start to its stop; there are no websockets."""
        try:
            await self._app(scope, receive, send)
        finally:
            self._log.close()

    def _shape(self, path: str) -> Shape:
        return next((shape for start, shape in self._shapes if path.startswith(start)), openai)


class Visit:
    """One request as the edge sees it. `status` is what was sent, 0 when nothing was."""

    def __init__(self, scope: Scope, send: Send, shape: Shape) -> None:
        self._scope, self._send, self._shape = scope, send, shape
        self._began = time.perf_counter()
        self.request_id = f"req_{secrets.token_hex(16)}"
        self.status = 0
        theirs = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.request_id
        self._state["client_request_id"] = theirs if CLIENT_ID.fullmatch(theirs) else None

    async def send(self, message: Message) -> None:
        """Passes a message on; the first one gets what every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            ours = [(name, self.request_id.encode()) for name in ID_HEADERS]
            ours.append((b"x-content-type-options", b"nosniff"))
            message = {**message, "headers": [*message.get("headers", ()), *ours]}
        await self._send(message)

    async def fail(self, error: BaseException) -> None:
        """Answer with the error. When an answer has begun, the connection is left to break: nothing can be added."""
        wire = wire_of(error, self.request_id)
        self._state["error"] = wire.code
        if self.status:
            return
        body = orjson.dumps(self._shape(wire, self.request_id))
        balances = (wire.balance,) if wire.balance else ()
        headers = (
            wire.headers()
            | of_limits(balances, self._now())
            | {"content-type": "application/json", "content-length": str(len(body))}
        )
        if wire.status == TIMEOUT:
            headers["connection"] = "close"  # or the server would go on waiting for the rest
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": wire.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})

    def _now(self) -> float:
        """The time that limits go by; before the start-up is over there are none."""
        runtime = getattr(self._scope["app"].state, "runtime", None)
        return runtime.state.clock.now() if runtime else time.time()

    def log(self, log: AccessLog) -> None:
        state = self._state
        log.note(
            request_id=self.request_id,
            client_request_id=state["client_request_id"],
            method=self._scope["method"][:SHOWN],
            path=self._scope["path"][:SHOWN],
            status=self.status,
            error=state.get("error"),
            tenant=state.get("tenant"),
            key=state.get("key"),
            replay_of=state.get("replay_of"),
            ms=round((time.perf_counter() - self._began) * 1000, 1),
        )


async def unanswered(request: Request, error: Exception) -> NoReturn:
    """The app's handler of what no route handled: it is the edge's to answer."""
    raise error


async def unrouted(request: Request, error: Exception) -> NoReturn:
    """The app's handler of HTTPException, which only the router raises: no such path, or not with this method."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        await refuse_method(request, ", ".join(filter(partial(_takes, request), METHODS)))
    raise NotFound("There is nothing under this path; see /v1/models for what the gateway serves.")


def _takes(request: Request, method: str) -> bool:
    """Whether any route has the path with this method: Starlette's own `Allow` names those of the first alone."""
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)
