"""Server-sent events from bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

Finds the payloads of complete events in whatever chunks the socket delivers. It knows nothing of JSON, HTTP or chat.

Invariants: only LF, CR and CRLF end a line (a JSON string may hold U+2028 or U+0085 raw, which `str.splitlines` and the
HTTP clients' line iterators would cut at); the same bytes give the same events however they are chunked; memory is
bounded by `max_event_bytes` plus one chunk.
"""

# An event is what one engine step adds to the answer. The largest honest one, a whole tool call's arguments or the top
# 20 logprobs of a batch of tokens, stays below 1 MiB; an endless line must not fill the memory (it did: 300 MB).
MAX_EVENT_BYTES = 4 * 1024 * 1024
CR, LF = b"\r\n"  # as numbers: `in` finds a number in bytes ten times as fast as a byte string


class Decoder:
    """Feed chunks, get the `data` of each event that is complete."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads completed by `data`, in order. Raises ValueError when an event is larger than the limit."""
        if self._after_cr or CR in data:
            data = self._with_lf(data)
        if self._pending:
            searched = len(self._pending) - 1  # what was there held no blank line, only perhaps its first half
            self._pending += data
            if self._pending.find(b"\n\n", searched) < 0:
                self._require_small(len(self._pending))
                return []
            data = bytes(self._pending)
            self._pending.clear()
        events = data.split(b"\n\n")
        if len(data) > self._max_event_bytes:
            self._require_small(max(map(len, events)))
        self._pending += events.pop()
        return [payload for event in events if (payload := _payload(event)) is not None]

    def close(self) -> None:
        """Say that no more bytes follow. Raises ValueError when they stopped inside an event."""
        if self._pending.strip(b"\n"):
            raise ValueError(
                f"the stream ended inside an event, {len(self._pending)} bytes after the last complete one"
            )

    def _with_lf(self, data: bytes) -> bytes:
        """Every line end as LF; the LF of a CRLF that was cut between two chunks is dropped."""
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _require_small(self, size: int) -> None:
        if size > self._max_event_bytes:
            raise ValueError(f"an event is larger than {self._max_event_bytes} bytes")


def _payload(event: bytes) -> bytes | None:
    """The `data` lines of one event joined by LF, or None when it has none (a comment, a keep-alive)."""
    if LF not in event and event.startswith(b"data: "):  # as vLLM writes all of them
        return event[6:]
    lines = [value.removeprefix(b" ") for name, _, value in map(_field, event.split(b"\n")) if name == b"data"]
    return b"\n".join(lines) if lines else None


def _field(line: bytes) -> tuple[bytes, bytes, bytes]:
    return line.partition(b":")
