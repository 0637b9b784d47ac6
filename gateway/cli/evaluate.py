"""`tollgate index eval`: how good retrieval is on judged questions, as a table, a TREC run and a plot."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from gateway.cli.common import Failure, Json, show
from gateway.cli.indexing import LINE_EVERY_S
from gateway.cli.plot import lines
from retrieval.embed import Embedder, EmbedderUnavailable
from retrieval.evaluate import FUSED, BadFolder, Judged, Results, at, collection, curve, evaluate, read, run_lines
from retrieval.search import FLOOR

DIGITS: Final = 4
Report = Callable[[int, int], None]

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels/test.tsv.")
]
Run = Annotated[Path | None, typer.Option("--run", help="Write the fused ranking to a file, as a TREC run.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw nDCG by cut into a file, such as eval.png.")]
Cache = Annotated[Path | None, typer.Option("--cache", help="Where corpora are kept, embedded; default: ~/.cache.")]
Language = Annotated[
    str, typer.Option(help="Whose words these are: an ISO 639-1 code, or '' to take them as they are.")
]


def eval_(
    folder: Folder,
    run: Run = None,
    plot: Plot = None,
    cache: Cache = None,
    language: Language = "en",
    as_json: Json = False,
) -> None:
    """nDCG@10, recall@10, MRR and latency: BM25, vectors, two plain fusions of them, and ours.

    Queries that no file in qrels names are taken for unanswerable: a second table says at which floor of probability
    how many of them are recognised, and how many answerable ones are lost.
    """
    with _failures():
        judged = read(folder)
        results = _results(judged, cache or _default_cache(), language)
        if run:
            lines_of_run = (f"{line}\n" for id, of in results.fused.items() for line in run_lines(id, of))
            run.write_text("".join(lines_of_run), "utf-8")
        if plot:
            lines(plot, results.by_cut(), "k", "nDCG@k", folder.resolve().name)
    _show(judged, results, as_json)


def _results(judged: Judged, cache: Path, language: str) -> Results:
    with closing(Embedder()) as embedder:
        with _bar("documents") as done:
            index = collection(judged, embedder, cache, done, language)
        with _bar("questions") as done:
            return evaluate(index, embedder, judged, done)


def _show(judged: Judged, results: Results, as_json: bool) -> None:
    rows, floors = results.rows(), _floors(results)
    if as_json:
        show([row | ({"floors": floors} if row["component"] == FUSED else {}) for row in rows], as_json)
        return
    show(rows, as_json)
    typer.echo(
        f"\n{len(judged.questions)} questions over {len(judged.corpus)} documents; low and high are 95% limits of "
        f"nDCG@10; embedding a question takes {1000 * median(results.embedding):.1f} ms besides"
    )
    if any(question.history for question in judged.questions):
        typer.echo(f"{FUSED} also searches a question after its history; all others search it alone")
    if judged.missing:
        typer.echo(f"{judged.missing} relevant documents are not in the corpus and count as missed")
    if floors:
        typer.echo(f"\nNothing relevant: {len(results.unanswerable)} unanswerable questions, shipped floor {FLOOR:g}")
        show(floors, as_json)


def _floors(results: Results) -> list[dict[str, float]]:
    """The shipped floor first, then those that lose no more than a few shares of the answerable questions."""
    if not results.unanswerable:
        return []
    points = [at(FLOOR, results.answerable, results.unanswerable), *curve(results.answerable, results.unanswerable)]
    return [
        {"floor": round(p.floor, DIGITS), "recognised": round(p.recognised, DIGITS), "lost": round(p.lost, DIGITS)}
        for p in points
    ]


def _default_cache() -> Path:
    """As the XDG Base Directory Specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tollgate" / "eval"


@contextmanager
def _bar(words: str) -> Iterator[Report]:
    """What is done of how many, on standard error: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(words)
        return
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(words, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _lines(words: str) -> Report:
    told = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= LINE_EVERY_S:
            told = time.monotonic()
            typer.echo(f"{words}: {done}/{total}", err=True)

    return report


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (BadFolder, EmbedderUnavailable, ValueError) as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"{error.filename or 'a file'}: {error.strerror or error}") from error
