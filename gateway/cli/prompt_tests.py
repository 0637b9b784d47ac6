"""`tollgate prompts test`: the cases beside templates, asked of a model or of what it once answered; a gate for CI."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import templates
from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.prices import usd
from gateway.settings import Settings, SettingsError
from gateway.workbench import golden, junit
from gateway.workbench.asking import Desk
from gateway.workbench.cases import SUFFIX, Case, CasesError, beside, read
from gateway.workbench.expecting import Expecting
from gateway.workbench.recorded import SUFFIX as RECORDED
from gateway.workbench.recorded import NotRecorded, Recorded, Recording
from gateway.workbench.trying import Asking, Tried, fields_of, model_of, rendered, tried
from prompts.errors import PromptError
from prompts.files import TEMPLATES
from prompts.library import Library
from prompts.template import Template
from retrieval.embed import Embedder, EmbedderUnavailable
from serving.errors import BackendError

Ids = Annotated[list[str] | None, typer.Argument(help="Templates; default: all that have cases.")]
Version = Annotated[str | None, typer.Option(help="Of one template: tag, commit or digest; default: the latest.")]
Model = Annotated[str | None, typer.Option(help="An alias; default: the template's own.")]
Times = Annotated[int, typer.Option(min=1, max=1000, help="Answers per case.")]
FromFile = Annotated[bool, typer.Option("--recorded", help="Take the answers from <id>.recorded.jsonl.")]
ToFile = Annotated[bool, typer.Option("--record", help="Write the answers to <id>.recorded.jsonl.")]
Renders = Annotated[bool, typer.Option("--renders", help="Only compare with the golden renders; ask no model.")]
Update = Annotated[bool, typer.Option("--update", help="Write the golden renders anew.")]
JUnit = Annotated[Path | None, typer.Option("--junit", help="Write the results as JUnit XML too.")]


def try_cases(
    ids: Ids = None,
    version: Version = None,
    model: Model = None,
    times: Times = 1,
    recorded: FromFile = False,
    record: ToFile = False,
    renders: Renders = False,
    update: Update = False,
    junit_file: JUnit = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Try the cases of templates: exit 1 when one does not do what is expected of it."""
    if recorded and record:
        raise typer.BadParameter("answers are taken from the file or written to it", param_hint="--recorded, --record")
    settings = settings_of(config, state)
    try:
        library = templates.library(settings)
        chosen = _chosen(settings, library, ids, version)
        run = Run(settings, model, times, recorded, record, renders, update)
        results = asyncio.run(run(chosen))
    except (PromptError, SettingsError, CasesError, NotRecorded) as error:
        raise Failure(str(error)) from error
    except (BackendError, EmbedderUnavailable) as error:
        raise Failure(f"the cases cannot be tried: {error}") from error
    if junit_file:
        _written(junit_file, results)
    show([_row(id, one) for id, found in results.items() for one in found], as_json)
    if not all(one.passed for found in results.values() for one in found):
        raise typer.Exit(1)


class Run:
    """What is asked of all templates alike."""

    def __init__(
        self,
        settings: Settings,
        model: str | None,
        times: int,
        recorded: bool,
        record: bool,
        renders: bool,
        update: bool,
    ) -> None:
        self._settings, self._model, self._times = settings, model, times
        self._recorded, self._record, self._renders, self._update = recorded, record, renders, update
        self._folder = settings.build.prompts / TEMPLATES

    async def __call__(self, chosen: Sequence[tuple[Template, Sequence[Case]]]) -> dict[str, list[Tried]]:
        """Every template's results, by id."""
        embedder = Embedder()
        try:
            async with Desk(self._settings) as desk:
                return {
                    template.id: await self._template(template, cases, desk, embedder) for template, cases in chosen
                }
        finally:
            embedder.close()

    async def _template(self, template: Template, cases: Sequence[Case], desk: Desk, embedder: Embedder) -> list[Tried]:
        other = self._changed(template, cases)
        if self._renders or self._update:
            return [_render_only(case, case.name in other) for case in cases]
        alias, file = model_of(template, self._settings, self._model), self._folder / f"{template.id}{RECORDED}"
        asking: Asking = Recorded(file) if self._recorded else Recording(desk.ask, file) if self._record else desk
        expecting = Expecting(embedder, asking, alias, template.front.output_schema)
        fields = fields_of(template)
        found = [
            _render_only(case, True)
            if case.name in other
            else await tried(template, case, alias, fields, asking, expecting, self._times)
            for case in cases
        ]
        if isinstance(asking, Recording):
            asking.write()
        return found

    def _changed(self, template: Template, cases: Sequence[Case]) -> set[str]:
        """The cases that render otherwise than the golden file says; none where there is no such file."""
        file = self._folder / f"{template.id}{golden.SUFFIX}"
        kept = golden.read(file)
        if kept is None and not self._update:
            return set()
        renders = {case.name: rendered(template, case) for case in cases}
        if self._update:
            golden.write(file, renders)
            return set()
        return set(golden.changed(kept or {}, renders))


def _chosen(
    settings: Settings, library: Library, ids: Sequence[str] | None, version: str | None
) -> list[tuple[Template, Sequence[Case]]]:
    """The templates with their cases. Raises Failure where there is none, PromptError, CasesError."""
    if version and len(ids or ()) != 1:
        raise typer.BadParameter("a version is one template's: name it", param_hint="--version")
    folder = settings.build.prompts / TEMPLATES
    found = [(library.get(id, version), read(beside(folder, id))) for id in ids or library.ids()]
    if ids and (without := [template.id for template, cases in found if not cases]):
        raise Failure(f"{', '.join(without)} has no cases: write them into <id>{SUFFIX} beside it")
    return [(template, cases) for template, cases in found if cases]


def _render_only(case: Case, other: bool) -> Tried:
    why = ("it renders otherwise than its golden file says: look at it, then --update",) if other else ()
    return Tried(case.name, not other, 1, int(not other), 0.0, 1.0, why=why)


def _row(id: str, one: Tried) -> dict[str, Any]:
    row = {"prompt": id, **asdict(one), "cost_usd": usd(one.cost_nano)}
    row |= {name: round(row[name], 4) for name in ("low", "high", "seconds")}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in row.items() if name != "cost_nano"
    }


def _written(path: Path, results: dict[str, list[Tried]]) -> None:
    try:
        junit.write(path, results)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error}") from error
