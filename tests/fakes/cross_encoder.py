"""A cross-encoder with random weights, for a real vLLM to serve: its scores mean nothing, its answers are vLLM's.

    .venv-vllm/bin/python -m tests.fakes.cross_encoder FOLDER
    .venv-vllm/bin/python -m vllm.entrypoints.openai.api_server --model FOLDER --runner pooling \
        --served-model-name cross --max-model-len 128 --enforce-eager --dtype float32 --port 8137
    curl -s http://127.0.0.1:8137/rerank -H 'content-type: application/json' -d \
        '{"model":"cross","query":"tokens","documents":["What is a token?","Cats sleep.","How are tokens counted?"]}'

What the last line prints is kept as transcripts/vllm-0.32.0-rerank.json.
"""

import sys
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import (  # type: ignore[attr-defined] # it makes the tokenizer up when asked
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
)

DOCUMENTS = Path(__file__).parents[2] / "documents"
WINDOW = 128  # tokens of query and text together


def write(folder: Path) -> None:
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator((page.read_text("utf-8") for page in sorted(DOCUMENTS.glob("*.md"))), vocab_size=3000)
    folder.mkdir(parents=True, exist_ok=True)
    words.save_model(str(folder))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=WINDOW)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = BertConfig(  # type: ignore[call-arg] # its parent's argument
        vocab_size=len(tokenizer), max_position_embeddings=WINDOW, num_labels=1,
        hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
