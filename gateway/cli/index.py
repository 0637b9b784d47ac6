"""`tollgate index`: from folders of documents to collections, and what a question finds in them."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show, usable
from gateway.cli.evaluate import eval_
from gateway.cli.indexing import EngineName, built, strictly, watched
from gateway.encoders import encoder
from gateway.settings import Retrieve, Settings, SettingsError, secret
from gateway.versions import versions
from retrieval import collection
from retrieval.collection import Collection, CollectionError, Manifest
from retrieval.engines import PATIENT_S, connected
from retrieval.ingest import NotThere, Progress, byhand
from retrieval.passage import Found
from retrieval.protocols import IndexUnavailable
from retrieval.query import Query, Scope
from retrieval.search import FLOOR, candidates
from retrieval.weights import EmbedderUnavailable

app = typer.Typer(name="index", help="Collections of documents.", no_args_is_help=True)
SHOWN = 120  # characters of a passage in a table; --json has them all

Name = Annotated[str, typer.Argument(help="The collection's name in the settings.")]
Names = Annotated[list[str] | None, typer.Argument(help="Collections; default: all of the settings.")]
Engine = Annotated[EngineName, typer.Option(help="Where the work is done; ray needs `pip install 'tollgate[ray]'`.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 when a document is left out.")]
Labels = Annotated[list[str] | None, typer.Option("--access", help="An access label; repeat.")]
Pairs = Annotated[list[str] | None, typer.Option("--metadata", help="key=value; repeat.")]


app.command("eval")(eval_)


@app.command("build")
def build_(
    names: Names = None,
    engine: Engine = EngineName.LOCAL,
    strict: Strict = False,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Index the documents of collections; only what changed is parsed and embedded."""
    settings = settings_of(config, state)
    made = {name: built(name, settings, _part(settings, name), engine) for name in names or settings.retrieve}
    show([_row(name, manifest) for name, (manifest, _) in made.items()], as_json)
    if strict:
        strictly([document for _, left_out in made.values() for document in left_out])


@app.command()
def add(
    name: Name,
    files: Annotated[list[Path], typer.Argument(help="Files; those outside the collection's source are copied.")],
    access: Labels = None,
    metadata: Pairs = None,
    engine: Engine = EngineName.LOCAL,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Put documents into a collection by hand; later builds keep them."""
    settings = settings_of(config, state)
    part = _part(settings, name)
    try:
        added = byhand.add(part.source, part.path, files, access or (), usable("--metadata", _pairs, metadata or ()))
    except (NotThere, OSError, ValueError) as error:
        raise Failure(str(error)) from error
    manifest, left_out = built(name, settings, part, engine)
    show([_row(name, manifest)], as_json)
    strictly([document for document in left_out if any(f"{document}/".startswith(f"{name}/") for name in added)])


@app.command()
def remove(
    name: Name,
    documents: Annotated[
        list[str], typer.Argument(help="Ids of documents or of whole files, as `search` prints them.")
    ],
    engine: Engine = EngineName.LOCAL,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Take documents out of a collection by hand; later builds leave them out until they are added again."""
    settings = settings_of(config, state)
    part = _part(settings, name)
    try:
        byhand.remove(part.path, documents, _load(settings, part).entries())
    except (NotThere, OSError, ValueError) as error:
        raise Failure(str(error)) from error
    show([_row(name, built(name, settings, part, engine)[0])], as_json)


@app.command()
def rollback(name: Name, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Serve the version before again; a second time undoes it. The next build starts from what is served."""
    try:
        manifest = collection.rollback(_part(settings_of(config, state), name).path)
    except (CollectionError, OSError) as error:
        raise Failure(str(error)) from error
    show([_row(name, manifest)], as_json)


@app.command()
def publish(
    name: Name,
    shards: Annotated[int, typer.Option(min=1, help="Over how many shards it is spread.")] = 1,
    replicas: Annotated[int, typer.Option(min=1, help="On how many machines each shard is.")] = 1,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Put the version in a collection's folder into its engine, where gateways take it from within a second."""
    settings = settings_of(config, state)
    part = _part(settings, name)
    if not part.engine:
        raise Failure(f'[retrieve.{name}] names no engine: set `engine = "http://..."` there')
    local = _load(settings, part)
    with (
        _failing(part),
        closing(connected(part.engine, secret(part.engine_key_env), PATIENT_S)) as engine,
        watched(name) as shown,
    ):
        engine.publish(local, name, lambda done, total: shown(Progress("publish", done, total)), shards, replicas)
    show([_row(name, local.manifest) | {"published": local.version}], as_json)


@app.command()
def search(
    name: Name,
    question: Annotated[str, typer.Argument(help="What to look for.")],
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Passages at most.")] = 4,
    access: Labels = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """The passages most probably relevant to a question, best first, for a reader with these access labels.

    `shown`: it is probable enough for a prompt (the collection's `floor`).
    Where the settings name an engine it is searched, as the gateway does.
    """
    settings = settings_of(config, state)
    part = _part(settings, name)
    with _failing(part), encoder(settings, part) as made, closing(versions(name, part)) as kept:
        query = Query((question,), made.ask([question]), Scope(frozenset(access or ())))
        found = candidates(kept.newest(made.identity).index, query, top_k)
    rows = [_found(one, part.floor if part.floor is not None else FLOOR) for one in found]
    show(rows if as_json else [{**row, "text": " ".join(str(row["text"]).split())[:SHOWN]} for row in rows], as_json)


@app.command()
def stats(names: Names = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """What the folders of collections hold, and the recall@10 of their vector indexes as measured on samples.

    `published` is the version in the engine, where the settings name one.
    """
    settings = settings_of(config, state)
    parts = {name: _part(settings, name) for name in names or settings.retrieve}
    rows = [_row(name, _load(settings, part).manifest) | _published(name, part) for name, part in parts.items()]
    show(rows, as_json)


def _found(found: Found, floor: float) -> dict[str, Any]:
    passage, shown = found.passage, found.score >= floor
    return {"score": round(found.score, 4), "shown": shown, "document": passage.document, "text": passage.text}


def _published(name: str, part: Retrieve) -> dict[str, Any]:
    if not part.engine:
        return {}
    with _failing(part), closing(versions(name, part)) as kept:
        return {"published": kept.named()}


def _load(settings: Settings, part: Retrieve) -> Collection:
    """The one in the folder."""
    with _failing(part), encoder(settings, part) as made:
        return Collection.load(part.path, made.identity)


@contextmanager
def _failing(part: Retrieve) -> Iterator[None]:
    """What is wrong with a collection, its embedder or its engine is a Failure that says so."""
    try:
        yield
    except (CollectionError, EmbedderUnavailable, SettingsError) as error:
        raise Failure(str(error)) from error
    except IndexUnavailable as error:
        raise Failure(f"{part.engine}: {error}") from error


def _part(settings: Settings, name: str) -> Retrieve:
    if name not in settings.retrieve:
        known = ", ".join(settings.retrieve) or "none"
        raise Failure(f"there is no collection {name!r} in the settings; known: {known}")
    return settings.retrieve[name]


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := next((text for text, (key, sign, _) in zip(texts, pairs, strict=True) if not (key and sign)), None):
        raise ValueError(f"{wrong!r} is not key=value")
    return {key: value for key, _, value in pairs}


def _row(name: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "collection": name,
        "documents": manifest.documents,
        "passages": manifest.passages,
        "left_out": manifest.left_out,
        "version": manifest.version,
        "embedder": manifest.embedder,
        "index": sorted({part.kind for part in manifest.parts}),
        "recall": min((part.recall for part in manifest.parts), default=None),
    }
