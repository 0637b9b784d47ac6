from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from retrieval.lexical import LANGUAGES, MAX_WORDS, Lexical, LexicalWriter, access_term, analyzer, metadata_term
from retrieval.passage import Passage
from retrieval.query import Scope

TEXTS = ("the cat sat", "cats and dogs", "a dog barks at a cat", "Zebra", "naïve façade")


def written(path: Path, texts: Sequence[str] = TEXTS, first: int = 0, remove: Sequence[int] = ()) -> Lexical:
    writer = LexicalWriter(path, "en")
    writer.remove(np.array(remove, np.int64))
    for row, text in enumerate(texts, first):
        writer.add(row, Passage(str(row), "d", "", "", text, 0, 1))
    writer.commit()
    return Lexical.open(path, "en")


def found(index: Lexical, text: str) -> list[int]:
    rows: list[int] = index.search(text, 10).rows.tolist()
    return rows


def test_words_are_found_in_their_forms_best_first(tmp_path: Path) -> None:
    index = written(tmp_path)
    assert found(index, "Cats?") == [0, 1, 2]
    assert found(index, "BARKING dog") == [2, 1]
    assert found(index, "the") == found(index, "") == found(index, "unicorn") == []
    assert found(index, "naïve") == [4]


def test_scores_are_those_of_bm25(tmp_path: Path) -> None:
    """Robertson's formula with k1 = 1.2 and b = 0.75; the lengths are of words that are no stop words."""
    index = written(tmp_path, ["cat cat dog", "dog", "bird bird bird bird"])
    lengths, counts = np.array([3, 1, 4]), np.array([1, 1, 0])
    idf = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = idf * counts * 2.2 / (counts + 1.2 * (0.25 + 0.75 * lengths / lengths.mean()))
    ranked = index.search("dog", 5)
    assert ranked.rows.tolist() == [1, 0]
    assert np.allclose(ranked.scores, expected[[1, 0]], rtol=1e-3)


def test_rows_are_added_to_and_taken_from_what_is_there(tmp_path: Path) -> None:
    before = written(tmp_path)
    after = written(tmp_path, ["a new cat"], first=7, remove=[0, 2])
    assert (found(after, "cat"), len(after)) == ([1, 7], 4)
    assert (found(before, "cat"), len(before)) == ([0, 1, 2], 5)


def test_equals_are_ordered_by_row(tmp_path: Path) -> None:
    assert found(written(tmp_path, ["same"] * 30), "same") == list(range(10))


def test_a_heading_is_searched_too(tmp_path: Path) -> None:
    writer = LexicalWriter(tmp_path, "en")
    writer.add(0, Passage("0", "d", "", "Zoo > Zebras", "They eat grass.", 0, 1))
    writer.commit()
    assert found(Lexical.open(tmp_path, "en"), "zebra") == [0]


def test_a_long_question_is_bounded(tmp_path: Path) -> None:
    index = written(tmp_path, ["w0 cat", f"w{MAX_WORDS - 1}", f"w{MAX_WORDS}"])
    assert sorted(found(index, " ".join(f"w{number}" for number in range(100_000)))) == [0, 1]


def test_without_labels_and_conditions_nothing_is_filtered(tmp_path: Path) -> None:
    index = written(tmp_path)
    assert index.within(Scope(), [frozenset()]) is None
    assert index.within(Scope(), [frozenset(), frozenset({"hr"})]) is not None


def test_labels_that_nobody_told_of_are_seen_by_nobody(tmp_path: Path) -> None:
    writer = LexicalWriter(tmp_path, "en")
    for row, access in enumerate([(), ("hr",), ("new",)]):
        writer.add(row, Passage(str(row), "d", "", "", "word", 0, 1, access=access))
    writer.commit()
    index = Lexical.open(tmp_path, "en")
    where = index.within(Scope(), [frozenset(), frozenset({"hr"})])
    assert index.search("word", 5, where).rows.tolist() == [0]


def test_no_two_keys_with_values_and_no_two_sets_of_labels_share_a_term() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a", "b c"), ("a b", "c"), ("", "abc"), ("abc", ""), ("c", "ab")]
    sets = [{"a", "b"}, {"ab"}, {"a", "b", ""}, {'a", "b'}, set(), {""}, {"a,b"}]
    assert len({metadata_term(*pair) for pair in pairs}) == len(pairs)
    assert len({access_term(frozenset(some)) for some in sets}) == len(sets)
    assert {len(access_term(frozenset({"x" * 100_000}))), len(metadata_term("x" * 100_000, ""))} == {32}


@pytest.mark.parametrize("language", ["", *LANGUAGES])
def test_every_language_has_its_analyzer(language: str) -> None:
    word, number = analyzer(language).analyze("Xyz 42")
    assert (word[:2], number) == ("xy", "42")


def test_another_language_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no stemmer for language 'zz': use one of ar, da, "):
        analyzer("zz")
