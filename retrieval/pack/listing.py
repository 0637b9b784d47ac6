"""Passages as a prompt shows them: numbered from 1, and fenced as data.

What stands in a passage was written by somebody, and may say "ignore the above". So the prompt puts the passages
between two marks that carry the listing's `fence`, and whoever writes a passage must not be able to write the closing
mark. A random fence would do, but would change with each request, and the engine could not reuse its prefix cache. Ours
is an HMAC (RFC 2104) of the listing itself under the gateway's secret: the same passages in the same order have the
same fence, the same bytes, while an author cannot compute it without the secret. Nor does it help to have seen one: a
passage that quotes it is another passage, with another fence.

Knows no template and no tokens: control tokens are taken out by the function that comes in.
"""

import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Final, overload

from retrieval.passage import Found

# Hex digits, 32 bits: a guess is an indexed passage, and no answer tells whether it was right.
DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Numbered:
    """A passage as a template sees it."""

    number: int
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Listing(Sequence[Numbered]):
    """The passages of one prompt, as a template sees them; `fence` is what its marks carry."""

    fence: str
    passages: tuple[Numbered, ...]

    def __iter__(self) -> Iterator[Numbered]:
        return iter(self.passages)

    def __len__(self) -> int:
        return len(self.passages)

    @overload
    def __getitem__(self, at: int) -> Numbered: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Numbered, ...]: ...
    def __getitem__(self, at: int | slice) -> Numbered | tuple[Numbered, ...]:
        return self.passages[at]


def listed(found: Sequence[Found], neutral: Callable[[str], str], secret: bytes) -> Listing:
    """Passages in the order given; `neutral` takes control tokens out of a text."""
    passages = tuple(
        Numbered(number, neutral(one.passage.heading), neutral(one.passage.text))
        for number, one in enumerate(found, start=1)
    )
    return Listing(_fence(passages, secret), passages)


def _fence(passages: Sequence[Numbered], secret: bytes) -> str:
    said = json.dumps(["passages", *map(astuple, passages)]).encode()
    return hmac.digest(secret, said, "sha256").hex()[:DIGITS]
