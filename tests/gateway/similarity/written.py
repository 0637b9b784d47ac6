"""The pairs that were written for these tests: questions that must not share an answer, and some that may.

`similarity` is the cosine of all-MiniLM-L6-v2, kept in the files so that tests need not embed; `test_written.py` proves
that it still is.
"""

import json
from pathlib import Path
from typing import NamedTuple


class Written(NamedTuple):
    """`differs`: what makes the two questions different, or "" where nothing does."""

    a: str
    b: str
    similarity: float
    differs: str


def _read(name: str) -> list[Written]:
    lines = Path(__file__).with_name(f"{name}.jsonl").read_text().splitlines()
    rows = map(json.loads, lines)
    return [Written(row["a"], row["b"], row["similarity"], row.get("differs", "")) for row in rows]


ADVERSARIAL = _read("adversarial")
PARAPHRASES = _read("paraphrases")
