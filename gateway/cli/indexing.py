"""How a build of a collection is run and watched at the command line: a bar on a terminal, lines elsewhere."""

import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from gateway.cli.common import Failure
from gateway.encoders import encoder, maker
from gateway.settings import Retrieve, Settings, SettingsError
from retrieval.collection import Manifest
from retrieval.ingest import EngineUnavailable, NothingToIndex, Progress, RayEngine, Report, Rule, build
from retrieval.weights import EmbedderUnavailable

LINE_EVERY_S: Final = 5.0  # between lines of one step where there is no terminal to redraw
COUNTED: Final = ("parse", "publish")  # of passages to embed nobody knows the total before the end


class EngineName(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    RAY = "ray"


def built(
    name: str, settings: Settings, part: Retrieve, engine: EngineName = EngineName.LOCAL
) -> tuple[Manifest, list[str]]:
    """Build a collection, telling on standard error what is done; and the ids of what was left out. Raises Failure."""
    rules = [Rule(rule.match, tuple(rule.access), rule.metadata) for rule in part.rules]
    left_out: list[str] = []
    try:
        with encoder(settings, part) as made, watched(name) as shown:
            report = _noting(shown, left_out)
            where = RayEngine(maker(settings, part)) if engine is EngineName.RAY else None
            manifest = build(part.source, part.path, made, report, rules, where, part.language)
    except SettingsError as error:
        raise Failure(str(error)) from error
    except (NothingToIndex, EmbedderUnavailable, EngineUnavailable, OSError, ValueError, sqlite3.Error) as error:
        raise Failure(f"collection {name!r} was not built: {error}") from error
    return manifest, left_out


def _noting(shown: Report, left_out: list[str]) -> Report:
    def report(step: Progress) -> None:
        if step.step == "left_out":
            left_out.append(step.document)
        shown(step)

    return report


@contextmanager
def watched(name: str) -> Iterator[Report]:
    """Steps given to what it yields are told on standard error."""
    if not sys.stderr.isatty():
        yield _Lines(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        yield _Bar(name, bars)


def _words(name: str, step: Progress) -> str:
    """What is told of everything but the steps on the way."""
    match step.step:
        case "left_out":
            return f"index {name}: left out {step.document}: {step.reason}"
        case "unmatched":
            return f"index {name}: the rule {step.document!r} {step.reason}"
        case "unchanged":
            return f"index {name}: unchanged, {step.total} files"
    return ""


class _Lines:
    """Steps on the way every few seconds, the last one in any case, and all else at once."""

    def __init__(self, name: str) -> None:
        self._name, self._told = name, time.monotonic()

    def __call__(self, step: Progress) -> None:
        now = time.monotonic()
        if words := _words(self._name, step):
            typer.echo(words, err=True)
        elif now - self._told >= LINE_EVERY_S or (step.step in COUNTED and step.done == step.total):
            typer.echo(f"index {self._name}: {step.step} {step.done}/{step.total}", err=True)
            self._told = now


class _Bar:
    """One bar for files, one count for passages, and lines above them."""

    def __init__(self, name: str, bars: Bars) -> None:
        self._name, self._bars = name, bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: Progress) -> None:
        if words := _words(self._name, step):
            self._bars.console.print(words, markup=False, highlight=False)
            return
        if step.step not in self._tasks:
            self._tasks[step.step] = self._bars.add_task(f"{self._name}: {step.step}")
        total = step.total if step.step in COUNTED else None
        self._bars.update(self._tasks[step.step], completed=step.done, total=total)


def strictly(left_out: Sequence[str]) -> None:
    """Raises Failure where anything was left out."""
    if left_out:
        raise Failure(f"{len(left_out)} left out, as told above: {', '.join(left_out[:5])}")
