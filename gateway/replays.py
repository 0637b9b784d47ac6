"""What makes two requests the same, and what an `Idempotency-Key` that is taken means to its next request. Pure.

Knows neither HTTP nor the store; `gateway/api/idempotency.py` uses it.
"""

import hashlib
from typing import Any

import orjson

from gateway.errors import KeyReused, StillRunning
from gateway.exchange import Caller
from gateway.state import Replay

PARAM = "idempotency-key"
WAIT_S = (1.0, 60.0)  # the least and the most that a client is told to wait; OpenAI's obeys up to 120 s


def fingerprint(caller: Caller, method: str, path: str, body: Any) -> bytes:
    """The SHA-256 of a request. `body` is its parsed JSON: spaces and the order of fields make no other request of it.

    What its key may use is part of it: no key is given an answer that it could not have asked for.
    """
    whole = [caller.scopes, method, path, body]
    return hashlib.sha256(orjson.dumps(whole, default=dict, option=orjson.OPT_SORT_KEYS)).digest()


def usable(kept: Replay, claim: Replay, now: float) -> None:
    """Raises KeyReused where `kept` answers another request than `claim`'s, StillRunning where it is not done."""
    if kept.digest != claim.digest:
        raise KeyReused("This Idempotency-Key stands for another request; send a new one with this.", param=PARAM)
    if not kept.status:
        runs = max(0.0, now - kept.at)
        wait = _wait(runs)
        raise StillRunning(
            f"The request under this Idempotency-Key has run for {runs:.1f} s; ask again in {wait:.1f} s.",
            param=PARAM,
            retry_after=wait,
        )


def _wait(runs: float) -> float:
    """As long again as it has run: each try doubles that, so a few reach the end of any answer."""
    least, most = WAIT_S
    return min(max(runs, least), most)
