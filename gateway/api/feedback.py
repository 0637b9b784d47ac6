"""POST /v1/feedback: a tenant says of an answer that it got whether it was right. The cache forgets wrong ones, and
learns from what it served for a similar question.

Whoever has a key may speak of the requests of its own tenant, and of no others: they do not exist for it.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from gateway.api.auth import Authenticated
from gateway.api.body import Strict, checked, parse
from gateway.errors import NotFound

router = APIRouter()


class Feedback(Strict):
    """Of the request's answer, by the id in `x-request-id`."""

    request_id: Annotated[str, Field(min_length=1, max_length=256)]
    right: bool


@router.post("/v1/feedback")
async def feedback(request: Request, caller: Authenticated) -> dict[str, Any]:
    """`forgotten`: whether the answer was in the cache, and is no more."""
    runtime = request.app.state.runtime
    asked = checked(Feedback, parse(await request.body() or b"{}", runtime.settings.server.max_depth))
    row = await runtime.state.journal.read(asked.request_id)
    if row is None or row["tenant"] != caller.tenant:
        raise NotFound("You have no request of this id.", param="request_id", code="request_not_found")
    forgotten = await runtime.pipeline.cache.corrections.tell(row, asked.right)
    return {"object": "feedback", "request_id": asked.request_id, "right": asked.right, "forgotten": forgotten}
