"""What makes a collection's vectors: the gateway's own model, one from a folder, or backends that serve embeddings.

Knows the settings, and neither collections nor requests. Invariant: collections with the same settings share one
encoder, so that a question is embedded once for all of them, and the gateway's own is the one that the cache uses too.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from gateway.settings import Retrieve, Settings, secret
from retrieval.embed import Embedder
from retrieval.endpoint import Endpoint, Served
from retrieval.protocols import Encoder
from retrieval.weights import TOKENIZER, weights

WINDOW = 512  # tokens, of a model whose settings do not say: what most embedding models read


class Encoders:
    """Of a running gateway, whose `own` is closed by who made it."""

    def __init__(self, settings: Settings, own: Embedder) -> None:
        """Reads the files of models in folders. Raises EmbedderUnavailable or SettingsError."""
        self._own, self._made = own, dict[tuple[object, ...], Encoder]()
        self._of = {name: self._shared(settings, section) for name, section in settings.retrieve.items()}

    def __getitem__(self, name: str) -> Encoder:
        """Of a collection."""
        return self._of[name]

    def close(self) -> None:
        for encoder in self._made.values():
            encoder.close()

    def _shared(self, settings: Settings, section: Retrieve) -> Encoder:
        key = (section.embedder, section.weights, section.dimensions)
        if not any(key):
            return self._own
        if key not in self._made:
            self._made[key] = maker(settings, section)()
        return self._made[key]


def maker(settings: Settings, section: Retrieve) -> Callable[[], Encoder]:
    """What makes the encoder of a collection, in this process or in another. Raises SettingsError for a missing secret,
    and EmbedderUnavailable when it is called."""
    if section.embedder:
        return partial(Endpoint, _served(settings, section.embedder, section.dimensions or 0))
    return partial(_local, section.weights) if section.weights else Embedder


@contextmanager
def encoder(settings: Settings, section: Retrieve) -> Iterator[Encoder]:
    """The encoder of one collection, for a command. Raises as `maker` does."""
    with closing(maker(settings, section)()) as made:
        yield made


def _local(folder: Path) -> Embedder:
    return Embedder(weights(folder))


def _served(settings: Settings, alias: str, dimensions: int) -> Served:
    model = settings.models[alias]
    backends = [settings.backends[name] for name in model.backends]
    tokenizer = str(model.tokenizer / TOKENIZER) if model.tokenizer else None
    return Served(
        model=model.served or "",
        replicas=tuple((backend.url, secret(backend.api_key_env)) for backend in backends),
        dimensions=dimensions,
        window=model.window or WINDOW,
        query=model.query_prompt,
        passage=model.passage_prompt,
        tokenizer=tokenizer,
    )
