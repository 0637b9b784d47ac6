"""Asking a gateway that runs, so that the whole chain is tried: guards, planner, retrieval, remedies, checks.

What is asked is billed to the key and stands in the journal; no answer comes from the cache. Invariant: a template is
asked for by its digest, so what answers is the version at hand, or nobody.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx2

from gateway.workbench.asking import AT_ONCE, Question, Said, Unanswered
from serving.events import Usage

PATH = "/v1/chat/completions"
TIMEOUT_S = 600.0  # of one answer: as long as a gateway waits for a backend by default
# What a gateway says in place of an answer that it will not pass on: the model has failed, not the gateway.
VERDICTS = frozenset({"output_truncated", "output_invalid", "content_filter", "context_length_exceeded"})


class Through:
    """Asks the gateway at `url` with a tenant's key, while its block lasts."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._free = url.rstrip("/").removesuffix("/v1"), asyncio.Semaphore(AT_ONCE)
        self._client = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *ending: object) -> None:
        await self._client.aclose()

    async def ask(self, question: Question) -> Said:
        """The gateway's answer; a verdict instead of one is its `finish_reason`. Raises Unanswered."""
        async with self._free:
            began = time.perf_counter()
            status, answer = await self._post(_body(question))
            took = time.perf_counter() - began
        if status == httpx2.codes.OK:
            return _said(answer, took)
        error = answer.get("error") or {}
        if error.get("code") in VERDICTS:
            return Said("", error["code"], Usage(), None, took)
        raise Unanswered(f"the gateway refuses it with {status} {error.get('code')}: {error.get('message')}")

    async def _post(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self._client.post(f"{self._url}{PATH}", json=body)
            found = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise Unanswered(f"{self._url} does not answer as a gateway does: {error!r}") from error
        if not isinstance(found, dict):
            raise Unanswered(f"{self._url} does not answer as a gateway does")
        return answer.status_code, found


def _body(question: Question) -> dict[str, Any]:
    """A template's own fields are left to the gateway: that it applies them is part of what is tried."""
    model = {"model": question.alias, "gateway": {"cache": "skip"}}
    if question.prompt is None:
        return {**question.fields, **model, "messages": list(question.messages)}
    own = {name: question.fields[name] for name in ("seed",) if name in question.fields}
    return {**own, **model, "messages": [], "prompt": dict(question.prompt)}


def _said(answer: Mapping[str, Any], took: float) -> Said:
    try:
        choice, cost = answer["choices"][0], (answer.get("gateway") or {}).get("cost_usd")
        message = choice["message"]
        return Said(
            str(message.get("content") or ""),
            str(choice["finish_reason"]),
            Usage.parse(answer["usage"]),
            None if cost is None else round(cost * 1e9),
            took,
            tuple(message.get("tool_calls") or ()),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Unanswered(f"the gateway's answer is none of a chat: {error!r}") from error
