"""`tollgate index`: from folders of documents to collections, and what a question finds in them."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.settings import Retrieve, Settings
from retrieval.embed import Embedder, EmbedderUnavailable
from retrieval.index import Collection, CollectionError, Manifest
from retrieval.ingest import NothingToIndex, Progress, build
from retrieval.weights import MINILM

app = typer.Typer(name="index", help="Collections of documents.", no_args_is_help=True)
SHOWN = 120  # characters of a passage in a table; --json has them all

Name = Annotated[str, typer.Argument(help="The collection's name in the settings.")]
Names = Annotated[list[str] | None, typer.Argument(help="Collections; default: all of the settings.")]


@app.command("build")
def build_(names: Names = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Index the documents of collections; what did not change is not embedded again."""
    settings = settings_of(config, state)
    built = {name: _build(name, _part(settings, name)) for name in names or settings.retrieve}
    show([_row(name, manifest) for name, manifest in built.items()], as_json)


@app.command()
def search(
    name: Name,
    question: Annotated[str, typer.Argument(help="What to look for.")],
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Passages at most.")] = 4,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """The passages nearest to a question, best first."""
    collection = _load(_part(settings_of(config, state), name).path)
    try:
        with closing(Embedder()) as embedder:
            found = collection.search(embedder.encode([question])[0], top_k)
    except EmbedderUnavailable as error:
        raise Failure(str(error)) from error
    rows = [{"score": round(f.score, 4), "document": f.passage.document, "text": f.passage.text} for f in found]
    show(rows if as_json else [{**row, "text": " ".join(str(row["text"]).split())[:SHOWN]} for row in rows], as_json)


@app.command()
def stats(names: Names = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """What collections hold."""
    settings = settings_of(config, state)
    loaded = {name: _load(_part(settings, name).path).manifest for name in names or settings.retrieve}
    show([_row(name, manifest) for name, manifest in loaded.items()], as_json)


def _build(name: str, part: Retrieve) -> Manifest:
    if part.source is None:
        raise Failure(f"[retrieve.{name}] names no source: the folder of its documents")
    try:
        with closing(Embedder()) as embedder:
            return build(part.source, part.path, embedder, partial(_report, name))
    except (NothingToIndex, EmbedderUnavailable, OSError) as error:
        raise Failure(f"collection {name!r} was not built: {error}") from error


def _load(path: Path) -> Collection:
    try:
        return Collection.load(path, MINILM.identity)
    except CollectionError as error:
        raise Failure(str(error)) from error


def _part(settings: Settings, name: str) -> Retrieve:
    if name not in settings.retrieve:
        known = ", ".join(settings.retrieve) or "none"
        raise Failure(f"there is no collection {name!r} in the settings; known: {known}")
    return settings.retrieve[name]


def _report(name: str, step: Progress) -> None:
    """One line for what was left out, for the end of each step, and for each batch on the way."""
    if step.step == "left_out":
        typer.echo(f"index {name}: left out {step.document}: {step.reason}", err=True)
    elif step.step != "parse" or step.done == step.total:
        typer.echo(f"index {name}: {step.step} {step.done}/{step.total}", err=True)


def _row(name: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "collection": name,
        "documents": manifest.documents,
        "passages": manifest.passages,
        "left_out": len(manifest.failures),
        "version": manifest.version,
        "embedder": manifest.embedder,
    }
