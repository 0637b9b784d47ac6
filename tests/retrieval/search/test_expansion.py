"""expansion: passages grow into their sections while there is room."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from retrieval.collection import Collection
from retrieval.passage import Found
from retrieval.search import expanded
from tests.retrieval.search.small import made, passage, unit

TEXT = "One two. Two three.\n\nThree four.\n    five()"
SPANS = ((0, 8), (9, 19), (21, 32), (37, 43))


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Four passages of one section, and one of another document at the same place."""
    pieces = [(passage(TEXT[start:end], "page", start), unit(1, start)) for start, end in SPANS]
    other = (passage(TEXT[9:19], "other", 9), unit(0, 1))
    return made(tmp_path_factory.mktemp("c") / "pages", [*pieces, other])


def found(collection: Collection, *rows: int) -> list[Found]:
    return [Found(one, 0.9, {}, row) for row, one in zip(rows, collection.passages(rows), strict=True)]


def test_with_room_for_all_it_is_the_section_as_it_was_written(collection: Collection) -> None:
    (whole,) = expanded(collection, found(collection, 1), lambda some: True)
    assert whole.passage.text.replace("\n", " ").split() == TEXT.split()
    assert (whole.passage.start, whole.passage.end, whole.passage.id) == (0, 43, "page#0-43")
    assert len(whole.passage.text) == len(TEXT), "every offset in it is that of the document"
    assert whole.passage.text.endswith("\n\nThree four.\n    five()"), "paragraphs and indents are kept"


def test_what_comes_next_is_added_first(collection: Collection) -> None:
    (grown,) = expanded(collection, found(collection, 1), lambda some: sum(len(o.passage.text) for o in some) <= 24)
    assert grown.passage.text == "Two three.\n\nThree four."


def test_a_long_section_is_measured_a_few_times(tmp_path: Path) -> None:
    some = [(passage(f"w{number:03}.", "page", 6 * number), unit(1, number)) for number in range(60)]
    collection = made(tmp_path / "c", some)
    for room in range(5, 360, 7):
        asked: list[int] = []

        def fits(these: Sequence[Found], room: int = room, asked: list[int] = asked) -> bool:
            asked.append(sum(len(one.passage.text) for one in these))
            return asked[-1] <= room

        (grown,) = expanded(collection, found(collection, 30), fits)
        assert room - 6 < len(grown.passage.text) <= room
        assert len(asked) <= 13
        assert max(asked) <= 2 * room + 12, "more than twice what there is room for is never counted"


def test_without_room_nothing_changes(collection: Collection) -> None:
    some = found(collection, 0, 2)
    assert expanded(collection, some, lambda some: False) == some


def test_the_best_grows_first_and_takes_in_what_lies_in_its_way(collection: Collection) -> None:
    grown = expanded(collection, found(collection, 0, 1, 4), lambda some: True)
    assert [(one.row, one.passage.document) for one in grown] == [(0, "page"), (4, "other")]
    assert grown[0].passage.end == 43
    assert grown[1].passage.text == "Two three.", "the same place of another document is another place"


def test_passages_that_overlap_are_joined_once(tmp_path: Path) -> None:
    pieces = [passage("One two. Two three.", "page", 0), passage("Two three. Four.", "page", 9)]
    collection = made(tmp_path / "c", [(piece, unit(1, number)) for number, piece in enumerate(pieces)])
    (grown,) = expanded(collection, found(collection, 1), lambda some: True)
    assert grown.passage.text == "One two. Two three. Four."


def test_what_is_of_no_index_stays_as_it_is(collection: Collection) -> None:
    given = Found(passage("a text of the request"), 1.0)
    assert expanded(collection, [given], lambda some: True) == [given]
