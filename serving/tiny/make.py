"""Make the stand-in model from the sentences beside this file: tokenizer, training, files, figures.

    python -m serving.tiny.make                   all of it, into serving/tiny/model
    python -m serving.tiny.make evaluate          only measure the model that is there
    python -m serving.tiny.make corpus --rust-docs DIR --stdlib DIR    collect the sentences anew

Job: run the steps in order. Does not know how any of them works.
Invariants: the same seed, sentences and torch give the same model, up to the order in which a processor adds numbers.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from serving.tiny import corpus, decode, evaluate, packs, passages, questions, tokenizer, train
from serving.tiny.decode import Prompt
from serving.tiny.network import Llama, Shape, export

HERE = Path(__file__).parent
MODEL = HERE / "model"
SEED, STEPS = 1, 3500
THREADS = 2  # what the released weights were trained on
PER_COUNT = 100  # questions of the evaluation for each number of passages


def collect(arguments: argparse.Namespace) -> None:
    found = itertools.chain(corpus.rust_sections(arguments.rust_docs), corpus.python_sections(arguments.stdlib))
    corpus.write(corpus.without_repeats(found))


def make_tokenizer(arguments: argparse.Namespace) -> None:
    tokenizer.write(tokenizer.train(arguments.seed), MODEL)


def make_weights(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    model, words = Llama(Shape()), _tokenizer()
    seen, _ = passages.sides(corpus.read())
    train.train(
        model,
        packs.Maker(seen, _rarity(), Random(arguments.seed)),
        words,
        arguments.steps,
        arguments.seed,
        arguments.checkpoint,
    )
    export(model, MODEL, tuple(words.encode(end).ids[0] for end in (tokenizer.END, tokenizer.END_OF_TEXT)))


def measure(arguments: argparse.Namespace) -> None:
    model, words = load(MODEL), _tokenizer()
    _, unseen = passages.sides(corpus.read())

    def ask(prompts: Sequence[Prompt]) -> list[str]:
        return decode.answers(model, words, prompts)

    def on_packs(made_up: bool) -> dict[str, Any]:
        return evaluate.on_packs(
            ask, packs.Maker(unseen, _rarity(), Random(f"held out/{arguments.seed}"), made_up), arguments.per_count
        )

    by_hand, wrong = evaluate.on_cases(ask)
    figures = {
        "written by hand": by_hand,
        "no passages": evaluate.on_chat(ask),
        "real sentences, unseen": on_packs(False),
        "real and made-up sentences, unseen": on_packs(True),
        "wrong on the cases written by hand": wrong,
    }
    (HERE / "evaluation.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def load(folder: Path) -> Llama:
    model = Llama(Shape())
    model.load_state_dict(
        {name.removeprefix("model."): value.float() for name, value in load_file(folder / "model.safetensors").items()}
    )
    return model.eval()


def _tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def _rarity() -> questions.Rarity:
    return questions.Rarity(text for section in corpus.read() for text in section.sentences)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.tiny.make", description="Make the bundled stand-in model.")
    parser.add_argument("step", nargs="?", choices=("all", "corpus", "tokenizer", "train", "evaluate"), default="all")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("build/tiny.pt"), help="kept while training; a run goes on from it"
    )
    parser.add_argument("--per-count", type=int, default=PER_COUNT)
    parser.add_argument("--rust-docs", type=Path, help="share/doc/rust/html of a Rust toolchain")
    parser.add_argument("--stdlib", type=Path, help="the standard library of a CPython")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(THREADS)
    arguments.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    steps = {"corpus": collect, "tokenizer": make_tokenizer, "train": make_weights, "evaluate": measure}
    for step in ("tokenizer", "train", "evaluate") if arguments.step == "all" else (arguments.step,):
        steps[step](arguments)


if __name__ == "__main__":
    main()
