"""Questions with passages, as the prompt `answer` puts them, whose answers the bundled model copies out of those."""

import random
import re
from collections.abc import Iterator
from typing import Any

from tests.conftest import ROOT

SYSTEM = (
    "Answer from the numbered passages only, in one or two sentences. After each statement give the number of its "
    "passage in brackets, like [2]. If the passages do not say, answer exactly: The passages do not say."
)


def sentences() -> list[str]:
    """Of the sample pages, plain ones."""
    pages = [re.sub(r"[#`*\n]+", " ", page.read_text()) for page in sorted((ROOT / "documents").glob("*.md"))]
    found = [sentence.strip() for page in pages for sentence in re.split(r"(?<=[.!?])\s+", page)]
    return [sentence for sentence in found if 40 < len(sentence) < 200 and "|" not in sentence]


def questions(seed: int) -> Iterator[tuple[dict[str, Any], ...]]:
    """Conversations without end, the same for the same seed: a passage's first words are asked for the rest of it."""
    dice, known = random.Random(seed), sentences()
    while True:
        passages = dice.sample(known, 2)
        asked = " ".join(dice.choice(passages).split()[:4])
        listed = "".join(f"[{number}] Page\n{passage}\n\n" for number, passage in enumerate(passages, 1))
        body = f"Passages ab12:\n\n{listed}End of passages ab12.\n\nQuestion: {asked}"
        yield {"role": "system", "content": SYSTEM}, {"role": "user", "content": body}
