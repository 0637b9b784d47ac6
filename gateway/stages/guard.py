"""Guard: what comes in and what goes out is looked at first. Knows no detector, no budget and no backend."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.exchange import Call, Guarded
from serving.events import Event


class Guard:
    """Looks at texts. `asked` is called once per request, `said` once per generation that is shown."""

    async def asked(self, call: Call) -> tuple[Call, Guarded]:
        """The call as it may go on: redacted where that is asked. Raises ContentFilter."""
        return call, Guarded()

    async def said(self, call: Call, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events as they may be shown. Raises ContentFilter, and whatever `events` raises."""
        async with aclosing(events):
            async for event in events:
                yield event
