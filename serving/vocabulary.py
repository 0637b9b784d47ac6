"""A model's vocabulary, for one purpose: how many tokens a text is. From the `tokenizer.json` in the model's folder.

Where the file describes a byte-level BPE, its merges become a `tiktoken.Encoding`, several times as fast as the
`tokenizers` library. The two are not the same algorithm (tiktoken also merges pairs that are in no merge rule but whose
sum is a token), so the encoding is compared with the library on a fixed set and is not used when any count differs.

Control tokens in a text (`<|im_start|>`) count as what the server makes of them: one token each.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import orjson
import tiktoken
from tokenizers import Tokenizer

# tiktoken's regex engine panics on runs of a million spaces or so (its stack holds one entry for each); at 300,000 it
# does not. The lookbehind keeps the search linear.
LONG = 100_000
LONG_SPACE = re.compile(rf"(?<!\s)\s{{{LONG}}}")
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# System prompts and the turns of a conversation come again with every request; to count them anew takes 100 us a KiB.
KEPT, KEPT_CHARS = 512, 16_384  # pieces between two control tokens, and the longest kept: 8 MiB at most, of plain text
MAX_COMPARED_TOKENS = 20_000  # about a second of work at start-up

SAMPLES = (
    "The quick brown fox can't jump over 12,345 lazy dogs, we've said.",
    "  indented\n\n\tdef f(x):\r\n        return x ** 2  # squared   \n \n",
    "naïve café ÅNGSTRÖM e\u0301 straße İstanbul ﬁle",
    "日本語のテキスト、한국어 문장. العربية हिन्दी ไทย",
    "👩‍👩‍👧‍👦🏳️‍🌈 x²≠y → ∀ε>0 \u200b\u2028\u0085\ufeff end",
    '{"a": [1, 2.5e-3, null], "b": "\\"quoted\\""}',
    "AbCdEF HTTPServer's don'T I'LL '' ''' 0x1F 1_000_000 a1b2",
    "\x00\x1b[0m\x7f" + " " * 50 + "=" * 70 + "\n" * 9,
)


class Vocabulary(Protocol):
    """Counts the tokens of a text, adding none; `around` are those that a server puts around a raw prompt."""

    @property
    def around(self) -> int: ...

    def count(self, text: str) -> int: ...


class Library:
    """Any tokenizer, as the `tokenizers` library runs it: what the server itself does."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.around: int = tokenizer.num_special_tokens_to_add(is_pair=False)

    def count(self, text: str) -> int:
        # In a batch, for only then does the library let other threads run.
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0])


class ByteLevel:
    """A byte-level BPE as a `tiktoken.Encoding`; `library` takes the texts on which tiktoken would panic."""

    def __init__(self, encoding: tiktoken.Encoding, control: frozenset[str], nfc: bool, library: Library) -> None:
        self._encoding = encoding
        longest_first = sorted(control, key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, longest_first))) if control else None
        self._nfc = nfc
        self._library = library
        self.around = library.around
        self._kept = lru_cache(KEPT)(self._plain)

    def count(self, text: str) -> int:
        if len(text) >= LONG and LONG_SPACE.search(text):
            return self._library.count(text)
        pieces = self._control.split(text) if self._control else [text]
        counts = [(self._kept if len(piece) <= KEPT_CHARS else self._plain)(piece) for piece in pieces if piece]
        return len(pieces) - 1 + sum(counts)

    def _plain(self, text: str) -> int:
        return len(self._encoding.encode_ordinary(unicodedata.normalize("NFC", text) if self._nfc else text))


def load(model_dir: Path) -> Vocabulary:
    """The vocabulary in `model_dir`. Raises OSError or ValueError when its tokenizer.json is missing or unreadable."""
    source = (model_dir / "tokenizer.json").read_bytes()
    try:
        tokenizer = Tokenizer.from_buffer(source)
    except Exception as error:  # the library raises plain Exception
        raise ValueError(f"{model_dir / 'tokenizer.json'} is not a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    library = Library(tokenizer)
    byte_level = _byte_level(orjson.loads(source), library)
    if byte_level and all(byte_level.count(text) == library.count(text) for text in _compared(tokenizer)):
        return byte_level
    return library


def entries(model_dir: Path) -> frozenset[bytes] | None:
    """Every token that the model in `model_dir` can write, as bytes; None when it is no byte-level BPE.

    Raises OSError or ValueError when its tokenizer.json is missing or unreadable.
    """
    description = orjson.loads((model_dir / "tokenizer.json").read_bytes())
    model, alphabet = description["model"], _alphabet()
    added = {token["content"] for token in description.get("added_tokens") or []}
    if model.get("type", "BPE") != "BPE":
        return None
    plain = model["vocab"].keys() - added
    if not all(alphabet.keys() >= set(token) for token in plain):
        return None
    return frozenset(bytes(alphabet[char] for char in token) for token in plain) | {token.encode() for token in added}


def _compared(tokenizer: Tokenizer) -> Iterator[str]:
    """The samples, and the vocabulary's own entries in groups, side by side and far from each other."""
    yield from SAMPLES
    size = tokenizer.get_vocab_size()
    ids = list(range(0, size, size // MAX_COMPARED_TOKENS + 1))
    for order in (ids, [ids[i * 7919 % len(ids)] for i in range(len(ids))]):  # 7919 is prime: every entry, shuffled
        for first in range(0, len(order), 64):
            yield tokenizer.decode(order[first : first + 64], skip_special_tokens=False)


def _byte_level(description: Mapping[str, Any], library: Library) -> ByteLevel | None:
    """None when the file describes anything but a plain byte-level BPE with plain control tokens."""
    model, normalizer = description["model"], description.get("normalizer")
    pattern = _pattern(description.get("pre_tokenizer") or {})
    ranks = _ranks(model)
    added = description.get("added_tokens") or []
    adorned = any(token["lstrip"] or token["rstrip"] or token["single_word"] for token in added)
    plain = all(not model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"))
    if pattern is None or ranks is None or adorned or not plain or normalizer not in (None, {"type": "NFC"}):
        return None
    encoding = tiktoken.Encoding("model", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return ByteLevel(encoding, frozenset(token["content"] for token in added), normalizer is not None, library)


def _pattern(pre_tokenizer: Mapping[str, Any]) -> str | None:
    """The regular expression that cuts a text into words, for the two usual ways of writing it down."""
    match pre_tokenizer:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
            return GPT2_PATTERN
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return pattern
    return None


def _ranks(model: Mapping[str, Any]) -> dict[bytes, int] | None:
    """Every byte, then the merges in their order: tiktoken merges the lowest rank first, as the rules do."""
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        return None
    alphabet = _alphabet()
    ranks = {bytes([byte]): byte for byte in range(256)}
    for merge in model["merges"]:
        token = "".join(merge.split(" ") if isinstance(merge, str) else merge)
        if not alphabet.keys() >= set(token):
            return None
        ranks.setdefault(bytes(alphabet[char] for char in token), len(ranks))
    return ranks


def _alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes (openai/gpt-2, src/encoder.py, bytes_to_unicode), from stand-in to byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
