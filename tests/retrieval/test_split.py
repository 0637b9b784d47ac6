import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.document import Document, Source, outline
from retrieval.embed import Embedder
from retrieval.parsing.markdown import parse
from retrieval.split import HEADING_LIMIT, LIMIT, MAX_CHARS, OVERLAP, split


def markdown(text: str) -> Document:
    return parse(Source("page.md", text.encode()))


def paragraph(topic: str, sentences: int) -> str:
    return " ".join(f"Sentence {number} is about {topic} and a few other things." for number in range(sentences))


def test_a_short_section_is_one_passage(embedder: Embedder) -> None:
    document = markdown("# KV cache\n\nintro\n\n## Size\n\nOne.\n\nTwo.\n")
    intro, size = split(document, embedder.tokens)
    assert (size.document, size.title, size.heading, size.text) == (
        "page.md",
        "KV cache",
        "KV cache > Size",
        "One.\n\nTwo.",
    )
    assert size.embedded == "KV cache > Size\nOne.\n\nTwo."
    assert document.text[size.start : size.end] == size.text
    assert intro.id != size.id


def test_a_long_section_is_cut_between_paragraphs(embedder: Embedder) -> None:
    paragraphs = [paragraph(topic, 10) for topic in ("tokens", "caches", "budgets")]
    passages = split(markdown("# T\n\n" + "\n\n".join(paragraphs)), embedder.tokens)
    assert [passage.text for passage in passages] == paragraphs


def test_a_long_paragraph_is_cut_between_sentences_and_carries_one_over(embedder: Embedder) -> None:
    passages = split(markdown("# T\n\n" + paragraph("tokens", 40)), embedder.tokens)
    assert len(passages) > 2
    assert all(passage.text.startswith("Sentence") and passage.text.endswith("things.") for passage in passages)
    for before, after in pairwise(passages):
        shared = before.text[after.start - before.start :]
        assert shared.count("Sentence") == 1
        assert after.text.startswith(shared)
        assert embedder.tokens(shared) - 2 <= OVERLAP


def test_nothing_is_carried_over_where_the_next_piece_needs_all_the_room(embedder: Embedder) -> None:
    long, short, full = paragraph("tokens", 10), paragraph("caches", 1), paragraph("budgets", 17)
    passages = split(markdown(f"# T\n\n{long}\n\n{short}\n\n{full}\n"), embedder.tokens)
    assert [passage.text for passage in passages] == [f"{long}\n\n{short}", full]


def test_the_tokens_of_a_whole_book_are_never_counted(embedder: Embedder) -> None:
    def tokens(text: str) -> int:
        assert len(text) <= MAX_CHARS + 100
        return embedder.tokens(text)

    assert len(split(outline("book.txt", "word " * 4000, []), tokens)) > 20


@pytest.mark.parametrize("line", ["ab\n", "аб\n", "a\x1c\n"])
def test_of_tiny_pieces_tokens_are_counted_a_few_times_a_passage(embedder: Embedder, line: str) -> None:
    counted: list[str] = []

    def tokens(text: str) -> int:
        counted.append(text)
        return embedder.tokens(text)

    passages = split(outline("lines.txt", line * 3000, []), tokens)
    assert len(passages) > 10
    assert len(counted) < 40 * len(passages)
    assert all(embedder.tokens(passage.embedded) <= LIMIT for passage in passages)


def test_what_has_more_tokens_than_its_bytes_told_is_cut_all_the_same() -> None:
    def tokens(text: str) -> int:
        return len(text) if text.count("b") < 3 else 1000

    text = "a b a. c b c. d b d. " * 20 + "bbbb"
    passages = split(outline("a.txt", text, []), tokens)
    assert all(tokens(passage.embedded) <= LIMIT for passage in passages)
    assert set(" ".join(passage.text for passage in passages).split()) >= set(text.split()) - {"bbbb"}


def test_a_heading_path_longer_than_a_passage_loses_its_outer_end(embedder: Embedder) -> None:
    deep = "".join(f"{'#' * level} {'very long heading ' * 10}{level}\n\n" for level in range(1, 7))
    (passage,) = split(markdown(f"{deep}text"), embedder.tokens)
    assert passage.heading.endswith("heading 6")
    assert embedder.tokens(passage.heading) <= HEADING_LIMIT


def test_a_text_without_any_place_to_cut_is_cut_anyway(embedder: Embedder) -> None:
    passages = split(outline("han.txt", "語" * 5000, []), embedder.tokens)
    assert "".join(passage.text for passage in passages) == "語" * 5000
    assert all(embedder.tokens(passage.embedded) <= LIMIT for passage in passages)


def table(rows: int) -> str:
    return "| city | people |\n|---|---|\n" + "".join(f"| City {n} | {n}000 inhabitants |\n" for n in range(rows))


def test_a_table_that_fits_stays_whole(embedder: Embedder) -> None:
    passages = split(markdown(f"# T\n\n{paragraph('tokens', 14)}\n\n{table(8)}"), embedder.tokens)
    assert [passage.text for passage in passages] == [paragraph("tokens", 14), table(8).strip()]


def test_a_row_that_is_cut_off_keeps_the_first_row_in_its_heading(embedder: Embedder) -> None:
    document = markdown(f"# T\n\n## Cities\n\nBefore.\n\n{table(60)}\nAfter.\n")
    first, *others = split(document, embedder.tokens)
    assert first.heading == "T > Cities"
    assert first.text.startswith("Before.\n\n| city | people |")
    assert len(others) >= 2
    for passage in others:
        assert passage.heading == "T > Cities > | city | people |"
        assert passage.text.startswith("| City")
        assert all(line.endswith("|") or line in ("", "After.") for line in passage.text.splitlines())
        assert embedder.tokens(passage.embedded) <= LIMIT


def test_code_that_fits_stays_whole_and_longer_code_is_cut_between_its_parts(embedder: Embedder) -> None:
    def function(name: str) -> str:
        return f"def {name}(x):\n" + "".join(f"    step_{n} = x + {n}\n" for n in range(10))

    short = f"```python\n{function('first')}\n\n{function('second')}```"
    passages = split(markdown(f"# T\n\n{paragraph('tokens', 12)}\n\n{short}\n"), embedder.tokens)
    assert [passage.text for passage in passages] == [paragraph("tokens", 12), short]
    long = split(markdown("# T\n\n```python\n" + "\n\n".join(map(function, "abcdefgh")) + "```\n"), embedder.tokens)
    assert len(long) > 3
    assert all(passage.text.startswith(("```python\ndef", "def")) for passage in long)


def test_labels_and_metadata_are_on_each_passage_and_so_is_its_section(embedder: Embedder) -> None:
    document = markdown(f"---\naccess: hr\nmetadata: {{team: x}}\n---\n# T\n\n{paragraph('tokens', 40)}\n")
    passages = split(document, embedder.tokens)
    assert {passage.access for passage in passages} == {("hr",)}
    assert all(passage.metadata == {"team": "x"} for passage in passages)
    (section,) = {passage.section for passage in passages}
    assert document.text[slice(*section)] == document.sections[0].text


def test_a_model_with_a_smaller_window_gets_smaller_passages(embedder: Embedder) -> None:
    passages = split(markdown("# T\n\n" + paragraph("tokens", 40)), embedder.tokens, 128)
    assert all(embedder.tokens(passage.embedded) <= 128 for passage in passages)


words = st.sampled_from(
    ["token", "cache.", "GPU!", "антитело", "語彙", "\n", "\n\n", "## head\n", "x" * 300, "😀", "`a=1`", "a\x1cb", "ﷺ"]
)


@settings(max_examples=60)
@given(text=st.lists(words, min_size=1, max_size=400).map(" ".join) | st.text(min_size=1, max_size=2000))
def test_every_passage_fits_is_where_it_says_and_nothing_is_lost(embedder: Embedder, text: str) -> None:
    document = outline("any.txt", text, [])
    passages = split(document, embedder.tokens)
    seen: set[int] = set()
    for passage in passages:
        assert embedder.tokens(passage.embedded) <= LIMIT
        assert passage.text == document.text[passage.start : passage.end] != ""
        seen.update(range(passage.start, passage.end))
    assert not re.search(r"\S", "".join(letter for at, letter in enumerate(document.text) if at not in seen))
    assert len({passage.id for passage in passages}) == len(passages)
