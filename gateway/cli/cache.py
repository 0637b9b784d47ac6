"""`tollgate cache`: cached answers, from outside of the gateway."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.caching.names import own, undecided
from gateway.caching.slots import known_tag
from gateway.cli import pairs
from gateway.cli.cache_stats import stats
from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show, usable, with_state
from gateway.cli.plot import lines
from gateway.similarity import Judge, Kind, Names, Observed, report
from gateway.state import Observation, State

app = typer.Typer(name="cache", help="Cached answers.", no_args_is_help=True)
Tag = Annotated[str | None, typer.Option(help="Only answers with this tag, such as tenant:acme; default: all.")]
Rate = Annotated[float, typer.Option(min=1e-4, max=0.5, help="The accepted wrong share of the hits.")]
KindOf = Annotated[Kind, typer.Option(help="Questions about anything, or of a closed set of answers (a FAQ).")]
NamesAre = Annotated[Names, typer.Option(help="strict: a name that one leaves out speaks against it.")]
Pairs = tuple[Sequence[Observed], Sequence[Observed]]  # of which it is known whether they are right, and not known
WIDTH = 40  # characters of a bar


app.command()(stats)


@app.command()
def purge(tag: Tag = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Remove cached answers."""
    known = usable("--tag", known_tag, tag)
    removed = with_state(settings_of(config, state), lambda opened: opened.answers.purge(known))
    show([{"removed": removed}], as_json)


@app.command()
def judge(
    file: Annotated[Path, typer.Argument(metavar="PAIRS.jsonl", help='Lines of {"a", "b"}; - is standard input.')],
    max_error_rate: Rate = 0.01,
    kind: KindOf = "open",
    names: NamesAre = "tolerant",
    explain: Annotated[bool, typer.Option("--explain", help="Add the reasons.")] = False,
) -> None:
    """Would the answer kept for `a` be served for `b`? A line of {"similarity", "probability", "hit"} for each pair."""
    for found in pairs.judged(file, Judge(max_error_rate, kind, names)):
        verdict = found.decision
        row: dict[str, Any] = {
            "similarity": round(found.similarity, 6),
            "probability": round(verdict.probability, 6),
            "hit": verdict.hit,
        }
        typer.echo(json.dumps(row | ({"reasons": verdict.reasons} if explain else {}), ensure_ascii=False))


@app.command()
def calibrate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[PAIRS.jsonl]", help='Lines of {"a", "b", "dup"}, not what was observed.')
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Only what was observed of this pool; default: each one.")] = None,
    target: Rate = 0.01,
    kind: KindOf = "open",
    names: NamesAre = "tolerant",
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw them into a file too, such as hits.png.")] = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """What every max_error_rate serves and how much of it wrong (95% limits), and which one meets the target."""
    pools = _labelled(file, Judge(target, kind, names)) if file else _observed(config, state, pool)
    rows: list[dict[str, Any]] = []
    drawn: dict[str, list[tuple[float, float]]] = {}
    for name, (seen, unknown) in pools.items():
        found = report.settings(kind, seen, unknown=unknown)
        best = report.meeting(found, target)
        rows += [_row(name, setting, best, bars=not as_json) for setting in found]
        drawn |= _lines(name, found)
        if best is None and not as_json:
            typer.echo(f"{name}: {len(seen)} observations show no setting to keep {target:.2%}", err=True)
    if plot:
        _draw(plot, drawn)
    show(rows, as_json)


def _labelled(file: Path, judge: Judge) -> dict[str, Pairs]:
    return {file.name: (list(pairs.judged(file, judge, labelled=True)), [])}


def _observed(config: Path, state: Path | None, pool: str | None) -> dict[str, Pairs]:
    async def read(opened: State) -> dict[str, Pairs]:
        names = [pool] if pool else sorted({own(name) for name in await opened.feedback.pools()})
        observations = opened.feedback.observations
        return {name: (_hits(await observations(name)), _hits(await observations(undecided(name)))) for name in names}

    found = {name: pool for name, pool in with_state(settings_of(config, state), read).items() if any(pool)}
    if not found:
        raise Failure('nothing was observed yet: [cache] semantic = "shadow" observes, serving nothing; or name a file')
    return found


def _hits(seen: Sequence[Observation]) -> list[Observation]:
    """A fair sample of what the prior alone served: not near misses, nor what users report."""
    return [one for one in seen if one.source == "fresh"]


def _row(pool: str, setting: report.Setting, best: report.Setting | None, bars: bool) -> dict[str, Any]:
    row = {
        "pool": pool,
        "max_error_rate": setting.max_error_rate,
        "served_from": round(setting.least, 4),
        "seen": setting.seen,
        "hits": setting.hits,
        "hit_rate": round(setting.hit_rate, 4),
        "wrong": setting.wrong,
        "wrong_rate": round(setting.wrong_rate, 4),
        "undecided": setting.undecided,
        "low": round(setting.low, 4),
        "high": round(setting.high, 4),
        "meets_target": setting is best,
    }
    return row | ({"plot": _bars(setting)} if bars else {})


def _bars(setting: report.Setting) -> str:
    """Of WIDTH characters for all pairs: those served rightly, and those served wrongly."""
    wrong = -(-setting.wrong * WIDTH // max(setting.seen, 1))  # rounded up: what is wrong is never invisible
    return "█" * (round(setting.hit_rate * WIDTH) - wrong) + "░" * wrong


def _lines(pool: str, found: Sequence[report.Setting]) -> dict[str, list[tuple[float, float]]]:
    """Hit rate against wrong share, as counted and at its 95% limits, of the settings that serve anything."""
    served = [setting for setting in found if setting.hits]
    shares = {pool: "wrong_rate", f"{pool}, lower limit": "low", f"{pool}, upper limit": "high"}
    return {name: sorted((getattr(one, at), one.hit_rate) for one in served) for name, at in shares.items() if served}


def _draw(path: Path, drawn: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Raises Failure."""
    try:
        lines(path, drawn, "wrong share of the hits", "hit rate", "What every max_error_rate serves")
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be drawn: {error}") from error
