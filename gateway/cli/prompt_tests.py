"""`tollgate prompts test`: the cases beside templates, asked of a model or of what it once answered; a gate for CI."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import templates
from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.cli.trying import Key, Model, Url, asked, failures
from gateway.prices import usd
from gateway.settings import Settings
from gateway.workbench import golden, junit, recorded
from gateway.workbench.asking import Asking, Nobody, alias_of
from gateway.workbench.expecting import Expecting
from gateway.workbench.recorded import Recording
from gateway.workbench.suite import SUFFIX, Suite, suite, write
from gateway.workbench.trying import Tried, differences, linted, renders, tried
from prompts.library import Library
from retrieval.embed import Embedder
from serving.frozen import dataclass

Ids = Annotated[list[str] | None, typer.Argument(help="Templates; default: all that have cases.")]
Version = Annotated[
    str | None, typer.Option(help="Of one template, with its own cases: tag, commit or digest; default: the latest.")
]
Times = Annotated[int | None, typer.Option(min=1, max=1000, help="Answers per case; default: as the case says.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask no model: golden renders, output schemas, recorded answers.")
]
Record = Annotated[bool, typer.Option("--record", help="Keep the answers in <id>.recorded.jsonl, for --offline.")]
Update = Annotated[bool, typer.Option("--update", help="Only write the golden renders anew, <id>.golden.json.")]
JUnit = Annotated[Path | None, typer.Option("--junit", help="Write the results as JUnit XML too.")]

Results = dict[str, list[Tried]]


@dataclass(frozen=True, slots=True)
class Order:
    """The options that say how to try."""

    model: str | None
    times: int | None
    offline: bool
    record: bool
    url: str | None
    key: str | None


def try_cases(
    ids: Ids = None,
    version: Version = None,
    model: Model = None,
    times: Times = None,
    offline: Offline = False,
    record: Record = False,
    update: Update = False,
    url: Url = None,
    key: Key = None,
    junit_file: JUnit = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Try the cases of templates: exit 1 when one does not do what is expected of it."""
    if sum(map(bool, (offline, record, update, url))) > 1 or (version and (record or update)):
        raise typer.BadParameter("exclude each other", param_hint="--offline, --url, and --record, --update, --version")
    settings = settings_of(config, state)
    with failures():
        suites = _chosen(templates.library(settings), ids, version)
        if update:
            show(_updated(settings, suites), as_json)
            return
        results = asyncio.run(_results(settings, suites, Order(model, times, offline, record, url, key)))
    if junit_file:
        _written(junit_file, results)
    _tell(results, as_json)
    if not all(one.passed for found in results.values() for one in found):
        raise typer.Exit(1)


def _chosen(library: Library, ids: Sequence[str] | None, version: str | None) -> list[Suite]:
    """Those named, each with cases; of all, also those without. Raises Failure, PromptError, CasesError."""
    if version and len(ids or ()) != 1:
        raise typer.BadParameter("a version is one template's: name it", param_hint="--version")
    found = [suite(library, id, version) for id in ids or library.ids()]
    if without := [one.template.id for one in found if ids and not one.cases]:
        hint = "; `tollgate prompts diff` tries today's cases on an older version" if version else ""
        raise Failure(f"{', '.join(without)} has no cases: write them into <id>{SUFFIX} beside it{hint}")
    return found


def _updated(settings: Settings, suites: Sequence[Suite]) -> list[dict[str, Any]]:
    """Writes the golden renders of those that have cases, and says which cases changed."""
    having = [one for one in suites if one.cases]
    rows = [
        {"prompt": one.template.id, "cases": len(one.cases), "changed": sorted(differences(one)), "new": not one.golden}
        for one in having
    ]
    write(settings, golden.SUFFIX, {one.template.id: golden.written(renders(one)) for one in having})
    return rows


async def _results(settings: Settings, suites: Sequence[Suite], order: Order) -> Results:
    """By template, of those that have something to try."""
    with closing(Embedder()) as embedder:
        if order.offline:
            found = {one.template.id: await _tried(settings, one, order, one.recorded, embedder) for one in suites}
            return {id: results for id, results in found.items() if results}
        async with asked(settings, order.url, order.key) as asking:
            having = [one for one in suites if one.cases]
            return {one.template.id: await _tried(settings, one, order, asking, embedder) for one in having}


async def _tried(
    settings: Settings, one: Suite, order: Order, asking: Asking | None, embedder: Embedder
) -> list[Tried]:
    alias = alias_of(settings, order.model, one.template.front.model)
    recording = Recording(asking) if order.record and asking else None
    asker = recording or asking
    expecting = Expecting(embedder, asker or Nobody(), alias, one.template.front.output_schema)
    found = await tried(one, alias, asker, expecting, order.times)
    if recording and not any(result.error for result in found):
        write(settings, recorded.SUFFIX, {one.template.id: recording.written()})
    return [*(linted(one.template) if order.offline else ()), *found]


def _tell(results: Results, as_json: bool) -> None:
    """A row for each case; for people, what was not met below the table."""
    show([_row(id, one, as_json) for id, found in results.items() for one in found], as_json)
    if as_json:
        return
    for id, one in ((id, one) for id, found in results.items() for one in found if not one.passed):
        typer.echo(f"\n{id}: {one.case}")
        for line in "\n".join(one.why or (one.error or "",)).splitlines():
            typer.echo(f"    {line}")


def _row(id: str, one: Tried, whole: bool) -> dict[str, Any]:
    """`seconds` and `cost_usd` are of all answers together."""
    result = "error" if one.error else "passed" if one.passed else "failed"
    row = {
        "prompt": id,
        "case": one.case,
        "result": result,
        "met": one.met,
        "times": one.times,
        "low": round(one.low, 4) if one.times else None,
        "high": round(one.high, 4) if one.times else None,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost_usd": usd(one.cost_nano),
        "seconds": round(one.seconds, 3),
    }
    return row | ({"why": list(one.why), "error": one.error} if whole else {})


def _written(path: Path, results: Results) -> None:
    try:
        junit.write(path, results)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error}") from error
