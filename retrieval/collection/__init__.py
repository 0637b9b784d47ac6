"""A collection on disk: immutable versions, of which one is served; written beside it, swapped by one rename.

    Collection.load     the current version, every byte checked; an `Index`
    load_last_good      the same, or the last version before it that is whole
    writing             add and remove documents; what is committed becomes the current version
    rollback            the version before becomes the current one

Knows neither files of documents nor the embedder: vectors come in, and the name of what made them is compared.
"""

from retrieval.collection.collection import Collection
from retrieval.collection.entries import Entry
from retrieval.collection.errors import CollectionError, CorruptCollection, NoCollection, WrongEmbedder
from retrieval.collection.good import LastGood, load_last_good
from retrieval.collection.manifest import Manifest
from retrieval.collection.rollback import rollback
from retrieval.collection.writer import Writer, writing

__all__ = [
    "Collection",
    "CollectionError",
    "CorruptCollection",
    "Entry",
    "LastGood",
    "Manifest",
    "NoCollection",
    "Writer",
    "WrongEmbedder",
    "load_last_good",
    "rollback",
    "writing",
]
