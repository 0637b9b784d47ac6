import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decode import Decoder

# What a JSON payload may hold raw and a line splitter must not cut at: U+2028, U+0085, VT, FS.
payloads = st.text(st.characters(exclude_characters="\r\n"), max_size=40).map(
    lambda text: text.encode("utf-8", "replace")
)
line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
noise = st.sampled_from([b": ping", b"event: message", b"id: 7", b"retry: 10", b"x", b": a: b"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """The bytes of a stream and the payloads of its events."""
    written, expected = b"", []
    for lines in draw(st.lists(st.lists(payloads, max_size=3), max_size=6)):
        end = draw(line_ends)
        block = [b"data: " + line for line in lines]
        for comment in draw(st.lists(noise, max_size=2)):
            block.insert(draw(st.integers(0, len(block))), comment)
        # CR then LF would read as one line end, so a block that begins with LF must not follow one that ends in CR.
        written += b": between\n" if written.endswith(b"\r") and not block else b""
        written += b"".join(line + end for line in block) + end
        expected += [b"\n".join(lines)] if lines else []
    return written, expected


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(streams(), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_gives_the_same_events(stream: tuple[bytes, list[bytes]], places: list[int]) -> None:
    written, expected = stream
    decoder = Decoder()
    assert [payload for chunk in cut(written, places) for payload in decoder.feed(chunk)] == expected
    decoder.close()


@given(streams())
def test_byte_by_byte(stream: tuple[bytes, list[bytes]]) -> None:
    written, expected = stream
    decoder = Decoder()
    assert [payload for byte in written for payload in decoder.feed(bytes([byte]))] == expected


@pytest.mark.parametrize("raw", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_other_line_separators_do_not_cut(raw: str) -> None:
    payload = f'{{"content":"a{raw}b"}}'.encode()
    assert Decoder().feed(b"data: " + payload + b"\n\n") == [payload]


def test_mixed_line_ends() -> None:
    assert Decoder().feed(b"data: a\r\ndata: b\r\r\ndata: c\n\rdata:d\r\n\r\n") == [b"a\nb", b"c", b"d"]


def test_only_one_leading_space_is_taken_off() -> None:
    assert Decoder().feed(b"data:  a \n\ndata\n\n") == [b" a ", b""]


def test_an_endless_event_is_refused() -> None:
    decoder = Decoder(max_event_bytes=100)
    for _ in range(10):
        decoder.feed(b"data: 1234")
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        decoder.feed(b"5")


def test_a_large_event_in_one_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        Decoder(max_event_bytes=100).feed(b"data: " + b"x" * 100 + b"\n\n")


def test_many_small_events_in_one_chunk_are_not_one_large_event() -> None:
    assert len(Decoder(max_event_bytes=100).feed(b"data: x\n\n" * 1000)) == 1000


def test_an_unfinished_event_is_noticed_at_the_end() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n\ndata: b\n") == [b"a"]
    with pytest.raises(ValueError, match="inside an event"):
        decoder.close()
