"""`tollgate trace REQUEST_ID`: one request as a tree, from its row in the journal."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, when, with_state
from gateway.limits import amount
from gateway.prices import usd

WIDTH = 1000  # columns: lines are never cut, whatever the terminal; it wraps them itself

RequestId = Annotated[str, typer.Argument(help="As in the x-request-id header of the answer.")]


def trace(request_id: RequestId, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """One request, every decision."""
    row = with_state(settings_of(config, state), lambda opened: opened.journal.read(request_id))
    if row is None:
        raise Failure(f"the journal has no request {request_id!r}; its id is in the answer's x-request-id header")
    detail = json.loads(row.pop("detail") or "{}")
    if as_json:
        typer.echo(json.dumps(row | detail, ensure_ascii=False))
        return
    Console(width=WIDTH, highlight=False).print(tree(row, detail))


def tree(row: Mapping[str, Any], detail: Mapping[str, Any]) -> Tree:
    """The request line, its stages with offset, length and facts, and what it came to."""
    status = Text(str(row["status"]), "green" if row["status"] < 400 else "red")
    head = Text.assemble(
        (str(row["request_id"]), "bold"), "  ", status, f"  {_ms(row['duration_ms'])}  {when(row['at'])}"
    )
    root = Tree(head)
    root.add(_facts({name: row[name] for name in ("tenant", "key", "model", "backend", "prompt", "prompt_version")}))
    stages = root.add("stages")
    for stage in detail.get("stages", ()):
        _stage(stages, stage)
    root.add(Text.assemble("tokens  ", _facts(_tokens(row))))
    root.add(Text.assemble("cost    ", _cost(row["cost_nano"])))
    for name in ("cache", "stop", "error"):
        if row[name] is not None:
            root.add(f"{name:<7} {row[name]}")
    _citations(root, detail.get("gateway", {}).get("citations", ()))
    return root


def _stage(parent: Tree, stage: Mapping[str, Any]) -> None:
    failed = stage.get("error")
    line = Text.assemble(f"{stage['at_ms']:>9.1f} ms  ", (f"{stage['stage']:<10}", "bold"), f" {_ms(stage['ms']):>10}")
    branch = parent.add(line.append(f"  failed: {failed}", "red") if failed else line)
    facts = stage.get("facts", {})
    if stage["stage"] == "hold":
        facts = {unit: amount(value, unit) for unit, value in facts.items()}
    if facts:
        branch.add(_facts(facts))


def _tokens(row: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: row[f"{name}_tokens"] for name in ("input", "output", "cached")}
    return counts | {"source": row["token_source"], "first_token": _ms(row["ttft_ms"]) if row["ttft_ms"] else None}


def _citations(root: Tree, citations: Iterable[Mapping[str, Any]]) -> None:
    listed = list(citations)
    if listed:
        branch = root.add("citations")
        for citation in listed:
            branch.add(_facts(citation))


def _facts(facts: Mapping[str, Any]) -> Text:
    """`name value` pairs on one line; what is not known is left out. Values are data: never read as markup."""
    pairs = [(name, value) for name, value in facts.items() if value is not None and value != ""]
    return Text("  ").join(Text.assemble((f"{name} ", "dim"), str(value)) for name, value in pairs)


def _cost(nano: int | None) -> str:
    return "no price set" if nano is None else f"${usd(nano):.9f}".rstrip("0").rstrip(".")


def _ms(value: float) -> str:
    return f"{value:.1f} ms"
