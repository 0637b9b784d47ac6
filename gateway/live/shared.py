"""What several editions of a gateway use, closed when the last one lets go of it. Knows not what it is."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

OWN = "of one edition alone"  # the key of what works beside the requests of one, and is never shared


class Shared(Generic[T]):
    """A value and what closes it. `key` is what it was made of: equal keys, equal values."""

    def __init__(self, value: T, close: Callable[[], Awaitable[Any]], key: object = None) -> None:
        self.value, self.key = value, key
        self._close, self._users = close, 0

    def taken(self) -> "Shared[T]":
        """It has a user more."""
        self._users += 1
        return self

    async def released(self) -> None:
        """It has a user less; without any it closes."""
        self._users -= 1
        if not self._users:
            await self._close()
