"""Other sentence-transformers models: a small BERT with random weights and prompts, written to a folder and loaded."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer

from retrieval.embed import Embedder
from retrieval.weights import EmbedderUnavailable, weights

WINDOW = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    made, folder = tmp_path_factory.mktemp("bert"), tmp_path_factory.mktemp("models") / "small-bert"
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator(["what is a token and what is a passage: a query asks for one"] * 9, vocab_size=80)
    words.save(str(made / "tokenizer.json"))
    marks = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(made / "tokenizer.json"), **marks
    )
    tokenizer.save_pretrained(made)
    torch.manual_seed(1)
    config = BertConfig(vocab_size=80, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(made)
    transformer = Transformer(str(made), max_seq_length=WINDOW)
    dense = Dense(in_features=32, out_features=24)
    prompts = {"query": "query: ", "document": "passage: "}
    SentenceTransformer(modules=[transformer, Pooling(32), dense], prompts=prompts).save(str(folder))
    return folder


@pytest.fixture
def embedder(folder: Path) -> Iterator[Embedder]:
    embedder = Embedder(weights(folder))
    yield embedder
    embedder.close()


def test_what_its_files_say(folder: Path) -> None:
    found = weights(folder)
    assert (found.dimensions, found.window, found.query, found.passage) == (24, WINDOW, "query: ", "passage: ")
    assert found.identity.startswith("small-bert@")


def test_unit_vectors_each_with_its_prompt(embedder: Embedder) -> None:
    asked, kept = asyncio.run(embedder.embed(["what is a token"])), embedder.encode(["what is a token"])
    assert asked.shape == kept.shape == (1, 24)
    assert np.allclose(np.linalg.norm([asked[0], kept[0]], axis=1), 1, atol=1e-5)
    assert not np.allclose(asked, kept, atol=1e-3)
    assert np.allclose(asked, embedder.ask(["what is a token"]), atol=1e-5)


def test_another_byte_is_another_model(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "small-bert"
    other.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (other / path.relative_to(folder)).parent.mkdir(exist_ok=True)
            (other / path.relative_to(folder)).write_bytes(path.read_bytes())
    assert weights(other) == weights(folder)
    said = json.loads((other / "sentence_bert_config.json").read_bytes())
    (other / "sentence_bert_config.json").write_text(json.dumps(said | {"max_seq_length": 16}))
    assert weights(other).identity != weights(folder).identity


def test_files_that_change_after_they_were_read_are_not_loaded(folder: Path) -> None:
    found, path = weights(folder), folder / "config.json"
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    embedder = Embedder(found)
    with pytest.raises(EmbedderUnavailable, match=r"config\.json has sha256 .* changed"):
        embedder.encode(["a"])
    embedder.close()
    path.write_bytes(before)


@pytest.mark.parametrize("files", [{}, {"tokenizer.json": "{}"}, {"tokenizer.json": "{}", "model.safetensors": ""}])
def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(EmbedderUnavailable, match=str(tmp_path)):
        weights(tmp_path)
    with pytest.raises(EmbedderUnavailable, match="no folder"):
        weights(tmp_path / "other")
