"""Rows for a journal, as the ledger writes them."""

import asyncio
import json
from pathlib import Path
from typing import Any

from gateway.record import Record
from gateway.state.open import open_state
from serving.events import Usage

STAGES = [
    {"stage": "build", "at_ms": 0.1, "ms": 0.5, "facts": {"prompt": "answer", "messages": 2}},
    {"stage": "hold", "at_ms": 0.7, "ms": 0.2, "facts": {"tokens": 300, "usd": 5_000_000}},
    {"stage": "check", "at_ms": 90.0, "ms": 0.1, "error": "output_invalid"},
]


def record(request_id: str = "req_1", **changes: Any) -> Record:
    values: dict[str, Any] = {
        "request_id": request_id, "at": 1_790_000_000.0, "tenant": "acme", "key": "k1", "model": "small",
        "backend": "local", "prompt": "answer", "prompt_version": "v1", "prompt_digest": "d", "tags": None,
        "status": 502, "error": "output_invalid", "stop": "failed", "cache": "miss", "spent": Usage(200, 50, 20),
        "source": "exact", "cost_nano": 600_000, "duration_ms": 91.0, "ttft_ms": 40.0, "timings_ms": {},
        "stages": STAGES, "gateway": {"citations": [{"number": 1, "document": "[bold]kv-cache.md", "score": 0.9}]},
    }  # fmt: skip
    return Record(**values | changes)


def write(config: Path, *records: Record) -> None:
    """Put rows into the journal of the settings' state."""

    async def written() -> None:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        for one in records:
            await state.journal.write(one.row())
        await state.close()

    asyncio.run(written())


def lines(text: str) -> list[Any]:
    """JSON, line by line."""
    return [json.loads(line) for line in text.splitlines()]
