"""One connection of a client: a bounded head (head.py), and a bound on how slowly the client may take what it is sent:
an engine and a hold would wait for one that takes nothing. Knows nothing of what is sent.
"""

import asyncio

from gateway.cli.head import BoundedHead

# Once the buffers on the way to it are full: half of nginx's send_timeout, for we hold budgets meanwhile.
TAKE_S = 30.0


class Connection(BoundedHead):
    """It breaks when its full buffer is not a quarter full (the transport's low-water mark) within `take_s` seconds;
    whoever answers is then told that its client has left.
    """

    take_s = TAKE_S
    _patience: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._patience = self.loop.call_later(self.take_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._relax()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        super().connection_lost(exc)

    def _relax(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None
