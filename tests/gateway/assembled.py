"""A whole gateway without its HTTP edge, put together by `gateway.app.start`: everything real but the backend.

It runs in a background thread with its own event loop, so that tests are plain functions. `ask` reads one call to its
end; a test that leaves early, cancels or races passes its own coroutine to `do`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from gateway.app import start
from gateway.exchange import Answer, Call, Caller, Closed, Opened
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.state import Balance
from serving.events import Deltas
from tests.fakes.backend import FakeBackend, Seen
from tests.gateway.calls import call
from tests.gateway.waiting import WAIT_S

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
CHAT = "/v1/chat/completions"
PRICES = {"input": 1.0, "output": 2.0, "cached": 0.1}


@dataclass
class Outcome:
    """What one call gave: the answers in their order and the failure that ended them, if one did."""

    call: Call
    answers: list[Answer]
    error: Exception | None

    @property
    def closed(self) -> Closed:
        last = self.answers[-1] if self.answers else None
        assert isinstance(last, Closed), self.error
        return last

    @property
    def opened(self) -> Opened:
        first = self.answers[0]
        assert isinstance(first, Opened)
        return first

    @property
    def streamed(self) -> str:
        """The text of the deltas, joined: what a client of the stream reads."""
        return "".join(answer.text for answer in self.answers if isinstance(answer, Deltas))

    @property
    def text(self) -> str:
        return str(self.closed.completion.choices[0].message["content"])

    @property
    def cache(self) -> dict[str, Any]:
        return dict(self.closed.gateway["cache"])


async def given(answers: AsyncIterator[Answer], count: int) -> None:
    """Read until so many were given; pieces that came together count one by one."""
    while count > 0:
        answer = await anext(answers)
        count -= len(answer.pieces) if isinstance(answer, Deltas) else 1


@dataclass
class Assembled:
    """One running gateway. `fake` is its first backend, `spare` another."""

    runtime: Runtime
    fake: FakeBackend
    spare: FakeBackend
    written: list[Settings]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def do(self, work: Awaitable[T]) -> T:
        """What is awaited returns or raises, in the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(_awaited(work), self.loop).result(WAIT_S)

    def ask(self, text: "str | Call | None" = "Hi", **changes: Any) -> Outcome:
        """One call, read to its end."""
        return self.do(self.reading(text if isinstance(text, Call) else call(text, **changes)))

    def rewritten(self, **sections: Any) -> None:
        """Other sections stand in the settings' file, for the next reload."""
        table = self.runtime.settings.model_dump(exclude_unset=True) | sections
        self.written.append(Settings.model_validate(table))

    async def reading(self, asked: Call) -> Outcome:
        answers: list[Answer] = []
        try:
            async with aclosing(self.runtime.pipeline.run(asked)) as running:
                async for answer in running:
                    answers.append(answer)
        except Exception as error:
            return Outcome(asked, answers, error)
        return Outcome(asked, answers, None)

    async def leaving(self, asked: Call, after: int) -> None:
        """Read so many answers, as `given` counts them, then close the stream."""
        async with aclosing(self.runtime.pipeline.run(asked)) as running:
            await given(running, after)

    def chats(self) -> list[Seen]:
        """The chat requests that reached the first backend."""
        return [seen for seen in self.fake.requests if seen.path == CHAT]

    def row(self, asked: Call) -> dict[str, Any]:
        """The journal's row of a call, with `detail` parsed."""
        row = self.do(self.runtime.state.journal.read(asked.request_id))
        assert row is not None, "the call has no row"
        return row | {"detail": orjson.loads(row["detail"])}

    def holds(self) -> list[str]:
        """The requests whose hold is not settled."""
        return self.do(self.runtime.state.budgets.open_holds())

    def stages(self, asked: Call) -> list[str]:
        return [stage["stage"] for stage in self.row(asked)["detail"]["stages"]]

    def balances(self, caller: Caller, at: float | None = None) -> dict[tuple[str, str, str], Balance]:
        """Where the caller's limits stand at a time, now by default, by scope, unit and window."""
        read = self.runtime.state.budgets.balances(
            caller.tenant, caller.key, caller.tenant_limits, caller.key_limits, at or time.time()
        )
        return {(b.scope, b.limit.unit, b.limit.window): b for b in self.do(read)}

    def assert_settled(self, *calls: Call) -> None:
        """Nothing is held, each call was settled once and has its one row, and the balances are the journal's sums."""
        assert self.holds() == []
        assert self._counted(calls[0].caller.tenant) == len(calls)
        rows = self.do(self.runtime.state.journal.latest(1000, calls[0].caller.tenant))
        assert sorted(row["request_id"] for row in rows) == sorted(c.request_id for c in calls)
        admitted = [c for c in calls if self._admitted(c)]
        sums = {
            "requests": len(admitted),
            "tokens": sum(row["input_tokens"] + row["output_tokens"] for row in rows),
            "usd": sum(row["cost_nano"] or 0 for row in rows),
        }
        for (_, unit, window), balance in self.balances(calls[0].caller, calls[0].at).items():
            assert balance.held == 0
            assert balance.used == (0 if window == "request" else sums[unit]), (unit, window)

    def _counted(self, tenant: str) -> float:
        """How many settlements of a tenant's calls the metrics were told of."""
        samples = (sample for metric in self.runtime.metrics.requests.collect() for sample in metric.samples)
        return sum(s.value for s in samples if s.name.endswith("_total") and s.labels["tenant"] == tenant)

    def _admitted(self, asked: Call) -> bool:
        return any(s["stage"] == "hold" and "error" not in s for s in self.row(asked)["detail"]["stages"])


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def settings(
    url: str, spare: str, folder: Path, patience: float = WAIT_S, first: Mapping[str, Any] = {}, **sections: Any
) -> Settings:
    """Alias `small` on the first backend, falling back to `other` on the second; `pair` on both; `free` has no price.

    Sections given replace the ones here; `patience` is how long a first token is waited for, in seconds;
    `first` is what else is set for the first backend.
    """
    table: dict[str, Any] = {
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "backends": {
            "first": {"url": url, "first_token_s": patience, **first},
            "second": {"url": spare, "first_token_s": patience},
        },
        "models": {
            "small": {"backends": ["first"], "max_output": 64, "fallback": ["other"]},
            "other": {"backends": ["second"], "max_output": 64},
            "pair": {"backends": ["first", "second"], "max_output": 64},
            "free": {"backends": ["first"], "max_output": 64},
        },
        "build": {"prompts": ROOT / "prompts"},
        "cache": {"sample": 0},  # a hit is a hit
    } | sections
    priced = {"prices": {alias: PRICES for alias in table["models"] if alias != "free"}}
    return Settings.model_validate(priced | table)


@asynccontextmanager
async def assembled(folder: Path, tokenize: bool = True, **sections: Any) -> AsyncIterator[Assembled]:
    """A gateway before two scripted backends, its state in a file of `folder`.

    Without `tokenize` the backends cannot count, so that the model's own files do. A reload reads what is
    `rewritten`.
    """
    async with FakeBackend() as fake, FakeBackend() as spare, AsyncExitStack() as stack:
        if not tokenize:
            del fake.answers["/tokenize"], spare.answers["/tokenize"]
        written = [settings(fake.url, spare.url, folder, **sections)]
        runtime = await start(written[0], stack, lambda: written[-1])
        await _connected(runtime)
        yield Assembled(runtime, fake, spare, written)


async def _connected(runtime: Runtime) -> None:
    """A busy machine may need longer than the gateway waits for its first models; one that hangs is not waited for."""
    for _ in range(100):
        if set(runtime.models) == set(runtime.settings.models):
            return
        await asyncio.sleep(0.1)


@asynccontextmanager
async def on_engine(url: str, folder: Path, **sections: Any) -> AsyncIterator[Assembled]:
    """The same on a real engine; the scripted backends are there and stay unused."""
    engine: dict[str, Any] = {"backends": {"engine": {"url": url}}, "models": {"small": {"backends": ["engine"]}}}
    async with assembled(folder, **(engine | sections)) as gateway:
        yield gateway
