"""`tollgate quality`: how good the answers were, by prompt version, engine and more, and what has changed."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, with_state
from gateway.cli.usage import Since, Tenant, Until, Zone, days
from gateway.quality.report import DEFAULT, RATES, by_of, report
from gateway.state import State

By = Annotated[
    str, typer.Option(help="day, tenant, key, model, prompt, version, fingerprint, tag, tag:NAME; with commas.")
]
ARROWS = {"more": " ↑", "fewer": " ↓", None: ""}
LEGEND = (
    "Shares of the answers (tool_failed: of those that call tools), 95% limits in brackets; ↑ ↓: significantly more, "
    "fewer (p < 0.01) than `against`, a * likewise for lengths. What was found nowhere has no column."
)


def quality(
    tenant: Tenant = None,
    since: Since = None,
    until: Until = None,
    by: By = DEFAULT,
    zone: Zone = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """How many answers were cut, invalid, empty, blocked, repaired or failed, how long they were, what has changed."""
    groups = by_of(by)

    async def rows(opened: State) -> list[dict[str, Any]]:
        over = await days(opened, tenant, since, until, zone)
        try:
            return await report(opened.journal, groups, over, tenant)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--by") from error

    found = with_state(settings_of(config, state), rows)
    show(found if as_json else _table(groups, found), as_json)
    if found and not as_json:
        typer.echo(f"\n{LEGEND}")


def _table(by: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = [word for word in RATES if any(row[word]["count"] for row in rows)]
    return [
        {name: row[name] for name in by}
        | {"answers": row["answers"]}
        | {word: _share(row[word]) for word in found}
        | _lengths(row["output_tokens"])
        | {"against": _against(row["against"])}
        for row in rows
    ]


def _share(rate: Mapping[str, Any]) -> str | None:
    """`3.1% [2.0, 4.6] ↑`; None of no answers."""
    if rate["share"] is None:
        return None
    share, low, high = (f"{100 * rate[name]:.1f}" for name in ("share", "low", "high"))
    return f"{share}% [{low}, {high}]{ARROWS[rate['change']]}"


def _lengths(tokens: Mapping[str, Any]) -> dict[str, Any]:
    drift = None if tokens["drift"] is None else f"{100 * tokens['drift']:+.0f}%{' *' if tokens['changed'] else ''}"
    whole = {name: None if tokens[name] is None else round(tokens[name]) for name in ("mean", "p50", "p95")}
    return {"tokens": whole["mean"], "p50": whole["p50"], "p95": whole["p95"], "drift": drift}


def _against(before: Mapping[str, Any] | None) -> str | None:
    """What a row is compared with: `v3`, `2026-11-01 to 2026-11-07`."""
    if before is None:
        return None
    if "since" in before:
        return f"{before['since']} to {before['until']}"
    return ", ".join(str(value) for name, value in before.items() if name != "answers")
