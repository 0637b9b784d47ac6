"""Where a request's time went and what was decided: a small object per request, made into spans at the end.

Stages contain no telemetry: `@traced("retrieve")` times the stage and keeps what its value says of itself (`facts()`).
The spans are created when the request is over, with the times taken on the way: one span costs about 30 us, so nothing
is paid twice and none is open across a `yield`. Knows no prompt text and no key.

Invariant: stages are kept in the order they ended; times are `perf_counter_ns`, turned into wall time from one pair of
readings, so a stage never ends before it began.
"""

import functools
import os
import re
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")

_TRACEPARENT = re.compile(r"00-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")


@dataclass(slots=True)
class Stage:
    """One step of a request. `start` and `end` in perf_counter_ns; `facts` are plain values; `error` is a code."""

    name: str
    start: int
    end: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def ms(self) -> float:
        return _ms(self.end - self.start)

    def told(self, began: int) -> dict[str, Any]:
        """As plain values; its offset is to `began`."""
        told = {"stage": self.name, "at_ms": _ms(self.start - began), "ms": self.ms}
        if self.facts:
            told["facts"] = self.facts
        if self.error:
            told["error"] = self.error
        return told


class Trace:
    """The stages of one request, and the W3C trace context they belong to (https://www.w3.org/TR/trace-context/).

    `parent` is the caller's span id, or None; an incoming `traceparent` that is not well formed is ignored, as the
    standard asks. The sampled flag is the caller's; without a caller the request is sampled. `sent`: whether it
    has left for a model.
    """

    __slots__ = ("began", "parent", "sampled", "sent", "span_id", "stages", "trace_id", "wall")

    def __init__(self, incoming: str | None = None) -> None:
        self.began = time.perf_counter_ns()
        self.wall = time.time_ns()
        self.stages: list[Stage] = []
        match = _TRACEPARENT.fullmatch(incoming) if incoming else None
        self.trace_id = match["trace"] if match else os.urandom(16).hex()
        self.parent = match["span"] if match else None
        self.sampled = bool(int(match["flags"], 16) & 1) if match else True
        self.span_id = os.urandom(8).hex()
        self.sent = False

    @property
    def traceparent(self) -> str:
        """The header for whatever this request calls, and for the answer."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def on_sent(self) -> None:
        """The request leaves for a model: from here on it costs something."""
        self.sent = True

    def stage(self, name: str) -> "Timed":
        """Time a step: `with trace.stage("hold") as stage`. An exception leaves its code or class's name on it."""
        return Timed(self, name)

    def note(self, name: str, start: int, **facts: Any) -> Stage:
        """A step that was timed by hand: from `start` until now."""
        stage = Stage(name, start, time.perf_counter_ns(), facts)
        self.stages.append(stage)
        return stage

    def every(self, name: str) -> list[Stage]:
        """The stages of this name that did not fail, oldest first."""
        return [s for s in self.stages if s.name == name and s.error is None]

    def last(self, name: str) -> Stage | None:
        """The newest stage of this name that did not fail."""
        for stage in reversed(self.stages):
            if stage.name == name and stage.error is None:
                return stage
        return None

    def elapsed_ms(self) -> float:
        return (time.perf_counter_ns() - self.began) / 1e6

    def timings_ms(self) -> dict[str, float]:
        """Milliseconds per stage; stages of the same name are summed."""
        sums: dict[str, int] = {}
        for stage in self.stages:
            sums[stage.name] = sums.get(stage.name, 0) + stage.end - stage.start
        return {name: _ms(ns) for name, ns in sums.items()}

    def tree(self) -> list[dict[str, Any]]:
        """The stages as plain values, for the journal: name, offset and length in ms, facts, error."""
        return [stage.told(self.began) for stage in sorted(self.stages, key=attrgetter("start"))]


class Timed:
    """A stage while its block runs; a class, for contextlib's generators cost as much as some stages take."""

    __slots__ = ("_stage", "_trace")

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace, self._stage = trace, Stage(name, time.perf_counter_ns())

    def __enter__(self) -> Stage:
        return self._stage

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._stage.error = getattr(error, "code", None) or type(error).__name__
        self._stage.end = time.perf_counter_ns()
        self._trace.stages.append(self._stage)


class Traced(Protocol):
    """What a stage's first argument must carry: the request's trace."""

    @property
    def trace(self) -> Trace: ...


C = TypeVar("C", bound=Traced)
Step = Callable[Concatenate[S, C, P], Coroutine[Any, Any, T]]


def traced(
    name: str,
) -> Callable[[Step[S, C, P, T]], Step[S, C, P, T]]:
    """Give an async method `(self, call, ...)` its stage; the facts of its value (if it has `facts()`) are kept."""

    def wrap(method: Step[S, C, P, T]) -> Step[S, C, P, T]:
        @functools.wraps(method)
        async def timed(self: S, call: C, *args: P.args, **kwargs: P.kwargs) -> T:
            with call.trace.stage(name) as stage:
                value = await method(self, call, *args, **kwargs)
                facts = getattr(value, "facts", None)
                if callable(facts):
                    stage.facts = facts()
                return value

        return timed  # type: ignore[return-value] # functools.wraps hides that it is still a method

    return wrap


def _ms(ns: int) -> float:
    """Whole microseconds, as milliseconds; `round` takes three times as long."""
    return ns // 1000 / 1000


def flat(facts: Mapping[str, Any], prefix: str) -> dict[str, str | int | float | bool]:
    """Facts as span attributes: scalars as they are, anything else as text."""
    return {
        f"{prefix}.{name}": value if isinstance(value, (str, int, float, bool)) else str(value)
        for name, value in facts.items()
        if value is not None
    }
