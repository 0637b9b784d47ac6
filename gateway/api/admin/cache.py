"""/admin/cache: what was answered before can be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator

from gateway.api.admin.common import body_of, state_of
from gateway.api.body import Strict
from gateway.caching.slots import known_tag

router = APIRouter(prefix="/cache")


class Purge(Strict):
    """`tag` selects: `tenant:acme`, `model:small`, `prompt:answer`, `prompt:answer@v3`, `collection:docs`,
    `request:...`, or a request's own tag as `tag:feature=search`. Without it everything goes."""

    tag: Annotated[str | None, AfterValidator(known_tag)] = None


@router.post("/purge")
async def purge(request: Request) -> dict[str, int]:
    asked = await body_of(request, Purge)
    return {"purged": await state_of(request).answers.purge(asked.tag)}
