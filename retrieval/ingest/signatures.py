"""Near-duplicates: documents that say the same are found without comparing each with each.

MinHash signatures over shingles of five words (Broder 1997), from datasketch, which computes them for whole batches of
shingles at a time. Its own LSH index lives in memory, some 5 kB a document; here the bands are rows of SQLite, so that
a hundred thousand documents need none.

Invariants: documents count as the same only where who may see them, what they are filtered by (but for their date and
address) and every number in them agree ("Prices 2025" is no copy of "Prices 2026"), or where both name the same
canonical address; a document is only ever a copy of one that is kept. The same documents in the same order give the
same copies.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.document import Document

WORD: Final = re.compile(r"\w+")
SHINGLE: Final = 5  # words
PERMUTATIONS: Final = 128  # the estimate of a similarity of 0.9 is within 0.03 two times out of three
BANDS: Final = 16  # of 8 values each: a similarity of 0.9 shares one with probability 0.9999, one of 0.5 with 0.06
ALIKE: Final = 0.9
SAME_PAGE: Final = 0.5  # of two pages with one canonical address, whose date, advertisements or numbers may differ
BATCH: Final = 4096  # shingles hashed at a time: 4 MB
COPYS_OWN: Final = ("date", "url")  # metadata that tells copies apart, not contents
KEY: Final = 16  # bytes


def signature(document: Document) -> bytes:
    """What copies are recognised by: a digest of the labels, one of numbers, one of the address, and the MinHash."""
    own = {key: value for key, value in document.metadata.items() if key not in COPYS_OWN}
    labels = json.dumps([document.access, sorted(own.items())])
    words = WORD.findall(document.text.casefold())
    numbers = " ".join(word for word in words if any(letter.isdigit() for letter in word))
    url = document.metadata.get("url", "")
    page = _key(f"{labels}\0{url}") if url else bytes(KEY)
    return _key(f"{labels}\0{numbers}") + page + _minhash(words or [document.text]).tobytes()


class Originals:
    """The documents kept so far, in temporary tables of a database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TEMP TABLE kept (number INTEGER PRIMARY KEY, id TEXT, signature BLOB)")
        database.execute("CREATE TEMP TABLE bands (key BLOB, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID")

    def original(self, document_id: str, signed: bytes) -> str | None:
        """The first document kept that this one is a copy of; None where there is none, and then this one is kept."""
        keys = list(_bands(signed))
        marks = ", ".join("?" * len(keys))
        candidates = self._database.execute(
            f"SELECT id, signature FROM kept WHERE number IN (SELECT number FROM bands WHERE key IN ({marks}))"
            " ORDER BY number",
            keys,
        )
        found = next((name for name, other in candidates if _same(signed, other)), None)
        if found is None:
            row = self._database.execute("INSERT INTO kept (id, signature) VALUES (?, ?)", (document_id, signed))
            self._database.executemany("INSERT INTO bands VALUES (?, ?)", [(key, row.lastrowid) for key in keys])
        return found


def _minhash(words: Sequence[str]) -> NDArray[np.uint32]:
    from datasketch import MinHash  # which imports scipy: 0.6 s that no other command need wait for

    made = MinHash(num_perm=PERMUTATIONS, seed=1)
    shingles = (" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1)))
    while batch := list(islice(shingles, BATCH)):
        made.update_batch([shingle.encode() for shingle in batch])
    values: NDArray[np.uint32] = made.hashvalues.astype(np.uint32)
    return values


def _bands(signed: bytes) -> Iterator[bytes]:
    """What documents are looked up by; the address is one more band."""
    contents, page, values = signed[:KEY], signed[KEY : 2 * KEY], signed[2 * KEY :]
    size = len(values) // BANDS
    for band in range(BANDS):
        yield hashlib.blake2b(
            contents + bytes([band]) + values[band * size : (band + 1) * size], digest_size=8
        ).digest()
    if any(page):
        yield page


def _same(one: bytes, other: bytes) -> bool:
    shared = float(np.mean(_values(one) == _values(other)))
    same_page = any(one[KEY : 2 * KEY]) and one[KEY : 2 * KEY] == other[KEY : 2 * KEY]
    return (one[:KEY] == other[:KEY] and shared >= ALIKE) or (same_page and shared >= SAME_PAGE)


def _values(signed: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(signed, np.uint32, offset=2 * KEY)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=KEY).digest()
