"""Counts against the `tokenizers` library, which is what the server runs, on vocabularies of every kind."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from serving import vocabulary
from serving.vocabulary import SAMPLES, ByteLevel, Library

CONTROL = ["<|end|>", "<|end|>x", "[INST]"]
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
split = pre_tokenizers.Split(Regex(WORDS), "isolated")
bare = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
TEXT = [*SAMPLES, Path(__file__).read_text(), Path(vocabulary.__file__).read_text()]


def trained(pre_tokenizer: Any, normalizer: Any = None, control: Any = CONTROL) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=control, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def saved(tokenizer: Tokenizer, folder: Path) -> Path:
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


BYTE_LEVEL = {
    "gpt2": trained(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "llama3": trained(pre_tokenizers.Sequence([split, bare])),
    "qwen": trained(pre_tokenizers.Sequence([split, bare]), normalizers.NFC()),
}


@pytest.fixture(params=BYTE_LEVEL, scope="module")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[ByteLevel, Library]:
    """Ours and the library's."""
    tokenizer = BYTE_LEVEL[request.param]
    ours = vocabulary.load(saved(tokenizer, tmp_path_factory.mktemp("model")))
    assert isinstance(ours, ByteLevel)
    return ours, Library(tokenizer)


texts = st.text(max_size=60) | st.text(st.sampled_from(" \n\t'sdé\u0301ﬁ12aB=-日👩\u200d"), max_size=60)
with_control = st.lists(texts | st.sampled_from(CONTROL), max_size=8).map("".join)


@settings(max_examples=400)
@given(text=with_control)
def test_every_text_counts_as_the_library_counts_it(both: tuple[ByteLevel, Library], text: str) -> None:
    ours, library = both
    assert ours.count(text) == library.count(text)


@pytest.mark.parametrize(
    "text", ["", *SAMPLES, *CONTROL, "<|end|>" * 3, "a<|end|>\u0338b", "<|en" + "d|>", "e<|end|>\u0301"]
)
def test_the_edges(both: tuple[ByteLevel, Library], text: str) -> None:
    ours, library = both
    assert ours.count(text) == library.count(text)


@pytest.mark.parametrize("long", [" " * 1_000_000, "\n" * 1_000_000, "\u2028" * 400_000 + "a", " \t" * 500_000 + "x"])
def test_a_million_spaces_are_counted(both: tuple[ByteLevel, Library], long: str) -> None:
    ours, library = both
    assert ours.count(long) == library.count(long)


def test_runs_of_spaces_that_are_just_short_enough(both: tuple[ByteLevel, Library]) -> None:
    ours, library = both
    text = (" " * 99_999 + "a") * 5
    assert ours.count(text) == library.count(text)


@pytest.mark.parametrize(
    "tokenizer",
    [
        trained(pre_tokenizers.ByteLevel(add_prefix_space=True)),
        trained(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bare])),
        trained(pre_tokenizers.Sequence([split, bare]), normalizers.NFKC()),
        trained(pre_tokenizers.ByteLevel(add_prefix_space=False), control=[AddedToken("<m>", lstrip=True)]),
        Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?")),
        Tokenizer(models.Unigram([("?", 0.0), ("a", -1.0), ("b", -2.0)], unk_id=0)),
    ],
    ids=["prefix-space", "digits", "nfkc", "stripping-token", "word-level", "unigram"],
)
def test_other_kinds_are_left_to_the_library(tokenizer: Tokenizer, tmp_path: Path) -> None:
    ours = vocabulary.load(saved(tokenizer, tmp_path))
    assert isinstance(ours, Library)
    for text in SAMPLES:
        assert ours.count(text) == len(tokenizer.encode(text, add_special_tokens=False).ids)


def test_an_encoding_that_would_count_differently_is_not_used(tmp_path: Path) -> None:
    """Here `abc` is a token that its own letters never become: b and c meet first, and a with bc is no rule."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, "bc", "ab", "abc"]
    model = models.BPE({token: i for i, token in enumerate(tokens)}, [("b", "c"), ("a", "b"), ("ab", "c")])
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    ours = vocabulary.load(saved(tokenizer, tmp_path))
    assert isinstance(ours, Library)
    assert ours.count("abc") == 2


def test_a_limit_saved_in_the_file_does_not_cut_the_count(tmp_path: Path) -> None:
    tokenizer = trained(pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    ours = vocabulary.load(saved(tokenizer, tmp_path))
    assert ours.count("=") == 1
    assert ours.count("= " * 50) > 3


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"model": {}}', b"\xff", orjson.dumps({"model": {"type": "BPE"}})]
)
def test_a_file_that_is_no_tokenizer_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ValueError, match="is not a tokenizer"):
        vocabulary.load(tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"tokenizer\.json"):
        vocabulary.load(tmp_path)
