"""Where tokens must meet inside a known text, held against every way of cutting it."""

from itertools import product

import pytest

from gateway.linting import Cuts

BYTES = [bytes([byte]) for byte in b'"abc,:{']


@pytest.mark.parametrize(
    ("tokens", "cuts"),
    [
        ([], 4),  # " a b c "
        ([b"abc"], 2),
        ([b'"abc'], 1),
        ([b'{"abc', b'":'], 1),
        ([b'"abc"'], 0),
        ([b',"abc":'], 0),
        ([b'c"a', b'"a', b"bc"], 2),
    ],
)
def test_the_fewest(tokens: list[bytes], cuts: int) -> None:
    assert Cuts([*BYTES, *tokens])('"abc"') == cuts


def test_no_tokenization_around_it_has_fewer() -> None:
    vocabulary = [*BYTES, b'{"', b'a"', b'"a', b"bc", b'c":', b'b"', b'","']
    for text in ('"a"', '"abc"', '"bca"'):
        whole = b"{" + text.encode() + b":"
        fewest = min(_inside(cut, len(text)) for cut in _tokenizations(whole, vocabulary))
        assert Cuts(vocabulary)(text) <= fewest


def _tokenizations(text: bytes, vocabulary: list[bytes]) -> list[list[int]]:
    """Every way to cut a text into tokens, as the places where one ends."""
    ways = []
    for chosen in product((False, True), repeat=len(text) - 1):
        places = [at for at, cut in enumerate(chosen, 1) if cut]
        pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
        if all(piece in vocabulary for piece in pieces):
            ways.append(places)
    return ways


def _inside(places: list[int], length: int) -> int:
    return sum(1 < at < 1 + length for at in places)


def test_a_vocabulary_without_the_text_has_no_bound() -> None:
    assert Cuts([b"x"])('"abc"') == 0
