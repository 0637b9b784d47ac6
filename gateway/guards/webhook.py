"""A guard that is the company's own: another server is asked about each text. Knows no stage.

    POST url  {"where": "input" | "passages" | "output", "text", "tenant", "request_id", "model"}
    200       {"verdict": "pass" | "flag" | "redact" | "block", "findings": [{"start", "end", "kind", "instead"}]}

Of `findings`, which may be left out, `start` and `end` count characters (Unicode code points) and `instead` is
optional; without any, a verdict concerns the whole text. What is asked is signed as Standard Webhooks 1.0 says
(https://www.standardwebhooks.com), so that its libraries check it, where the settings name a key.

Invariants: whatever answers, what comes is findings inside the text or GuardFailed, whose words are ours; nothing is
asked twice, no redirect is followed, no answer is read beyond MAX_ANSWER_BYTES. The deadline is the asker's.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Annotated, Literal

import httpx2
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Where
from gateway.guards.protocols import GuardFailed
from gateway.settings import Webhook as Section

MAX_ANSWER_BYTES = 256 * 1024  # some 4,000 findings
MAX_CONNECTIONS = 64  # of one guard; more texts wait for one, within their deadline
PREFIX = "whsec_"  # of a key in base64, as Standard Webhooks has it


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Found(_Strict):
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(gt=0)]
    kind: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]  # a word: it is told and counted
    instead: Annotated[str, Field(max_length=1024)] | None = None


class _Answer(_Strict):
    verdict: Literal["pass", "flag", "redact", "block"]
    findings: Annotated[list[_Found], Field(max_length=10_000)] = []


class Webhook:
    """Asks the server at the section's `url`. `key` signs what it is sent."""

    reach, before = None, 1_000

    def __init__(self, name: str, section: Section, key: str | None) -> None:
        """Raises ValueError for a key that begins as base64 and is none."""
        self.name, self._url = name, section.url
        self._key = _bytes(key) if key else None
        limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        self._client = httpx2.AsyncClient(timeout=None, limits=limits, trust_env=False)

    async def aclose(self) -> None:
        await self._client.aclose()

    def held(self, text: str) -> int:
        """Never asked: it has no reach."""
        return len(text)

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        """What the server finds. Raises GuardFailed."""
        asked = {
            "where": where,
            "text": text,
            "tenant": call.caller.tenant,
            "request_id": call.request_id,
            "model": call.model,
        }
        try:
            answer = _Answer.model_validate_json(await self._answer(orjson.dumps(asked), call.request_id))
        except httpx2.HTTPError as error:
            raise GuardFailed(f"its server cannot be asked ({type(error).__name__})") from error
        except ValidationError as error:
            raise GuardFailed("its server's answer is not what a guard says") from error
        return _findings(answer, text)

    async def _answer(self, body: bytes, request_id: str) -> bytes:
        headers = {"content-type": "application/json", "accept-encoding": "identity"} | self._signed(body, request_id)
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            if response.status_code != 200:
                raise GuardFailed(f"its server answers with status {response.status_code}")
            read = b""
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > MAX_ANSWER_BYTES:
                    raise GuardFailed(f"its server's answer is longer than {MAX_ANSWER_BYTES} bytes")
            return read

    def _signed(self, body: bytes, request_id: str) -> dict[str, str]:
        """Standard Webhooks' headers; its message id is ours of the request."""
        if self._key is None:
            return {}
        at = str(int(time.time()))
        digest = hmac.new(self._key, b".".join((request_id.encode(), at.encode(), body)), hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": request_id, "webhook-timestamp": at, "webhook-signature": signature}


def _bytes(key: str) -> bytes:
    if not key.startswith(PREFIX):
        return key.encode()
    try:
        return base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a key that begins with {PREFIX} goes on in base64") from error


def _findings(answer: _Answer, text: str) -> list[Finding]:
    """As a guard has them. Raises GuardFailed where something is found that passes."""
    if answer.verdict == "pass":
        if answer.findings:
            raise GuardFailed("its server passes what it finds something in")
        return []
    if not answer.findings:
        return [Finding(0, len(text), "TEXT", "[TEXT]", answer.verdict)] if text else []
    return [
        Finding(one.start, one.end, one.kind, f"[{one.kind}]" if one.instead is None else one.instead, answer.verdict)
        for one in answer.findings
    ]
