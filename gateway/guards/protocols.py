"""What a guard is: something that finds things in a text. What becomes of them is the framework's to decide."""

from collections.abc import Sequence
from typing import Protocol

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Where


class Guard(Protocol):
    """One guard of the settings. Built once, asked of many texts at the same time.

    `before` and `reach` bound what it must see, in characters: whether a finding begins at a character is decided by
    `before` characters before it and `reach` from it on, and no finding is longer. So a stream holds back no more than
    the reach, and is looked at again no further back. Without a reach (None) only whole texts can be judged: a model,
    another server.
    """

    @property
    def name(self) -> str:
        """As the settings call it."""

    @property
    def reach(self) -> int | None:
        """See the class."""

    @property
    def before(self) -> int:
        """See the class. Without a reach: how much of what was judged before is shown again."""

    def held(self, text: str) -> int:
        """How many of the last characters may yet be, or become, part of a finding once more text follows: `reach` at
        most, and less where the end of the text shows it (a finding without white space holds back one word).

        Only asked of a guard with a reach.
        """

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        """What is in the text, in any order, overlapping or not. Any exception means that it gave no answer.

        A guard with a reach is pure: it awaits nothing, takes time linear in the text, and may be called in a thread.
        One without must not hold the event loop either.
        """


class GuardFailed(Exception):
    """Raised by a guard that can give no answer. Its message may be told to anyone: it holds nothing of the text."""
