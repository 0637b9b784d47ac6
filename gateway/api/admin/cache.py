"""/admin/cache: what was answered before can be forgotten."""

from fastapi import APIRouter, Request

from gateway.api.admin.common import body_of, state_of
from gateway.api.body import Strict

router = APIRouter(prefix="/cache")


class Purge(Strict):
    """`tag` selects: `tenant:acme`, `prompt:answer`, `model:small`. Without it everything goes."""

    tag: str | None = None


@router.post("/purge")
async def purge(request: Request) -> dict[str, int]:
    asked = await body_of(request, Purge)
    return {"purged": await state_of(request).answers.purge(asked.tag)}
