"""Files of documents to a collection, the first time and every time after.

    build           make a collection what its files say; only what changed is parsed and embedded
    add, remove     documents put in and taken out by hand, which later builds respect
    Rule            access labels and metadata of the files that a pattern matches

Knows parsers, splitter and the collection's writer; where the work is done is an `Engine`'s business.
"""

from retrieval.ingest.build import NothingToIndex, build
from retrieval.ingest.byhand import NotThere, add, remove
from retrieval.ingest.engine import Engine, LocalEngine
from retrieval.ingest.progress import Progress, Report
from retrieval.ingest.ray_engine import EngineUnavailable, RayEngine
from retrieval.ingest.rules import Rule

__all__ = [
    "Engine",
    "EngineUnavailable",
    "LocalEngine",
    "NotThere",
    "NothingToIndex",
    "Progress",
    "RayEngine",
    "Report",
    "Rule",
    "add",
    "build",
    "remove",
]
