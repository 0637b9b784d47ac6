"""What a check adds to an answer: `python -m benchmarks.checks`. Microseconds of CPU time, the median of many runs.

validated        an answer of 1 KB of eleven records against its schema, known before: the whole of Schemas.checked
by a process     the same, where the schema's shape does not bound the work (wall time: the answer waits that long)
first            the schema compiled too, as the first request with it does
repaired         the answer within a code fence
followed         the answer streamed by tokens of 4 characters, its progress looked at: in all
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

import orjson

from gateway.exchange.wanted import Format
from gateway.schemas import Checked, Progress, Schemas

RUNS = 200
RECORD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        "severity": {"enum": ["low", "medium", "high"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "summary": {"type": "string", "maxLength": 200},
        "owner": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["id", "severity", "score", "summary", "owner"],
    "additionalProperties": False,
}
SCHEMA = {"type": "object", "properties": {"tickets": {"type": "array", "items": RECORD}}, "required": ["tickets"]}
OPEN = {"$ref": "#it", "$defs": {"it": {"$anchor": "it", **SCHEMA}}}  # its reference is not followed
ANSWER = {
    "tickets": [
        {
            "id": f"AB-{n:04}",
            "severity": "high",
            "score": n / 10,
            "summary": "The export stops half way.",
            "owner": None,
        }
        for n in range(11)
    ]
}
TEXT = orjson.dumps(ANSWER).decode()


def _timed(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    took = []
    for _ in range(RUNS):
        began = clock()
        work()
        took.append(clock() - began)
    return statistics.median(took) * 1e6


def _run(work: Callable[[], Coroutine[Any, Any, Checked]], clock: Callable[[], float], times: int = 20) -> float:
    """Of one check among several in a loop, so that the loop's own start does not count."""

    async def several() -> None:
        for _ in range(times):
            await work()

    return _timed(lambda: asyncio.run(several()), clock) / times


def _checked(schemas: Schemas, schema: dict[str, Any], text: str, clock: Callable[[], float]) -> float:
    message = {"content": text}
    return _run(lambda: schemas.checked(Format("json", schema), message, "stop"), clock)


def _followed() -> None:
    progress = Progress(Format("json", SCHEMA))
    for at in range(0, len(TEXT), 4):
        progress.add(TEXT[at : at + 4])


def main() -> None:
    schemas = Schemas(deadline_s=60.0)
    rows = {
        "validated": _checked(schemas, SCHEMA, TEXT, time.process_time),
        "by a process": _checked(schemas, OPEN, TEXT, time.perf_counter),
        "first": _run(
            lambda: Schemas().checked(Format("json", SCHEMA), {"content": TEXT}, "stop"), time.process_time, 2
        ),
        "repaired": _checked(schemas, SCHEMA, f"```json\n{TEXT}\n```", time.process_time),
        "followed": _timed(_followed),
    }
    print(f"an answer of {len(TEXT):,} bytes")
    for name, took in rows.items():
        print(f"{name:14}{took:10.1f} us")


if __name__ == "__main__":
    main()
