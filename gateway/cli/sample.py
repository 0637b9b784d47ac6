"""`tollgate sample PROMPT...`: one prompt many times at several settings, and how alike the answers are.

A factual prompt beside a creative one shows what a temperature does: where answers should agree, and where they should
not. The models are asked directly: no tenant pays, nothing is cached or recorded.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show, text_of
from gateway.cli.plot import lines
from gateway.prices import usd
from gateway.settings import Settings
from gateway.workbench.asking import Desk, Question, Said, Unanswered, alias_of
from gateway.workbench.likeness import likeness
from retrieval.embed import Embedder, EmbedderUnavailable

TEMPERATURES = (0.0, 0.5, 1.0, 1.5)  # from greedy to past what is usual
WIDTH = 20  # characters of a bar

Row = dict[str, Any]
Prompts = Annotated[list[Path], typer.Argument(help="Files with a prompt each; - reads standard input.")]
Model = Annotated[str | None, typer.Option(help="An alias; default: that of requests that name none.")]
Times = Annotated[int, typer.Option(min=1, max=1000, help="Answers per setting.")]
Temperature = Annotated[list[float] | None, typer.Option(min=0, max=2, help="Repeat; default: 0, 0.5, 1, 1.5.")]
TopP = Annotated[list[float] | None, typer.Option("--top-p", min=0.01, max=1, help="Repeat; default: 1.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Ceiling of one answer, in tokens.")]
Seed = Annotated[int, typer.Option(help="Of the first answer; each next one has the next seed.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw them into a file too, such as alike.png.")]
Texts = Annotated[bool, typer.Option("--texts", help="With --json: the answers themselves too.")]


def sample(
    prompts: Prompts,
    model: Model = None,
    times: Times = 8,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = 64,
    seed: Seed = 1,
    plot: Plot = None,
    texts: Texts = False,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Ask prompts several times at several temperatures and top-p, and measure how alike the answers are."""
    settings = settings_of(config, state)
    alias = alias_of(settings, model)
    asked = {_name(file): text_of(file) for file in prompts}
    grid = list(product(temperature or TEMPERATURES, top_p or (1.0,)))
    fields = {"max_tokens": max_tokens, "seed": seed}
    rows = asyncio.run(_rows(settings, alias, asked, grid, times, fields))
    if plot:
        _draw(plot, rows)
    show([_shown(row, texts, as_json) for row in rows], as_json)


async def _rows(
    settings: Settings,
    alias: str,
    prompts: dict[str, str],
    grid: Sequence[tuple[float, float]],
    times: int,
    fields: dict[str, Any],
) -> list[Row]:
    embedder, rows = Embedder(), []
    try:
        async with Desk(settings) as desk:
            for (name, prompt), (temperature, top_p) in product(prompts.items(), grid):
                varied = fields | {"temperature": temperature, "top_p": top_p}
                said = await _times(desk, alias, prompt, times, varied)
                rows.append({"prompt": name, "temperature": temperature, "top_p": top_p, **await _row(said, embedder)})
    except Unanswered as error:
        raise Failure(str(error)) from error
    finally:
        embedder.close()
    return rows


async def _times(desk: Desk, alias: str, prompt: str, times: int, fields: dict[str, Any]) -> list[Said]:
    """That many answers, each with a seed of its own: the same one would be the same answer."""
    messages = [{"role": "user", "content": prompt}]
    seeds = range(fields["seed"], fields["seed"] + times)
    return await asyncio.gather(*(desk.ask(Question(alias, messages, fields | {"seed": seed})) for seed in seeds))


async def _row(said: Sequence[Said], embedder: Embedder) -> Row:
    texts = [one.text for one in said]
    try:
        vectors = await embedder.embed(texts)
    except EmbedderUnavailable as error:
        raise Failure(f"the answers cannot be compared: {error}") from error
    costs = [one.cost_nano for one in said if one.cost_nano is not None]
    return {
        "times": len(said),
        **{name: _rounded(value) for name, value in asdict(likeness(texts, vectors)).items()},
        "tokens": _rounded(sum(one.usage.output_tokens for one in said) / len(said)),
        "cut": sum(one.finish_reason == "length" for one in said),
        "cost_usd": usd(sum(costs)) if len(costs) == len(said) else None,
        "texts": texts,
    }


def _shown(row: Row, texts: bool, as_json: bool) -> Row:
    shown = row if texts and as_json else {name: value for name, value in row.items() if name != "texts"}
    return shown if as_json else shown | {"alike": "#" * round(row["jaccard"] * WIDTH)}


def _draw(path: Path, rows: Sequence[Row]) -> None:
    series: dict[str, list[tuple[float, float]]] = {}
    for row, measure in product(rows, ("jaccard", "cosine", "consistency")):
        name = f"{row['prompt']}, top-p {row['top_p']:g}: {measure}"
        series.setdefault(name, []).append((row["temperature"], row[measure]))
    try:
        named = {name: sorted(points) for name, points in series.items()}
        lines(path, named, "temperature", "of all pairs of answers", "How alike answers are")
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be drawn: {error}") from error


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value


def _name(file: Path) -> str:
    return "-" if str(file) == "-" else file.stem
