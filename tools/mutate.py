"""Mutation testing: which small wrong changes to a module do its tests notice?

    pip install --target build/cosmic-ray cosmic-ray==8.7.0
    git clone --quiet . build/clone
    .venv/bin/python tools/mutate.py build/clone build/cosmic-ray [--sample 25] [--seed 3] [module ...]

Takes for each module a random sample of Cosmic Ray's mutants and of single statements removed, changes the module in
that clone, and runs there the tests that MODULES names for it, until the first fails. Prints the mutants that survive:
each is either equivalent or a test that is missing. What no caller can see is no mutant: annotations, log lines, the
arguments of decorators, `==` in place of `is`. The tests of a mutant run in a fork of a process that has loaded the
large libraries, for these take longer than most tests; so it needs a POSIX system.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

PRELOADED = ("fastapi", "openai", "redis", "sentence_transformers", "uvicorn")
UNIT, STATE = "tests/gateway", "tests/gateway/state"
ALONE = ("--noconftest",)  # these tests need no shared parts, and what is not loaded takes no time
# The stores' contract, on SQLite in memory.
CONTRACT = tuple(f"tests/contracts/test_{name}.py" for name in ("budgets", "limits", "time", "recovery"))
MEMORY = ("-k", "not redis and not file", "--confcutdir=tests/contracts")
IDEMPOTENCY = tuple(f"{UNIT}/api/test_idempotency{part}.py" for part in ("", "_failing", "_waiting"))
MODULES: dict[str, tuple[str, ...]] = {
    "gateway/state/windows.py": (f"{STATE}/test_windows.py", *ALONE),
    "gateway/state/limits.py": (f"{STATE}/test_limits.py", *ALONE),
    "gateway/state/clock.py": (f"{STATE}/test_clock.py", *ALONE),
    "gateway/state/recent.py": (f"{STATE}/test_recent.py", *ALONE),
    "gateway/state/counters.py": (f"{STATE}/test_counters.py", *ALONE),
    "gateway/state/sqlite/holds.py": (*CONTRACT, *MEMORY),
    "gateway/state/sqlite/counters.py": (f"{STATE}/sqlite/test_budgets.py", *CONTRACT, *MEMORY),
    "gateway/state/sqlite/budgets.py": (f"{STATE}/sqlite/test_budgets.py", *CONTRACT, *MEMORY),
    "gateway/state/sqlite/keys.py": ("tests/contracts/test_keys.py", *MEMORY),
    "gateway/state/sqlite/replays.py": ("tests/contracts/test_replays.py", *MEMORY),
    "gateway/keyring.py": (f"{UNIT}/test_keyring.py", *ALONE),
    "gateway/scopes.py": (f"{UNIT}/test_scopes.py", *ALONE),
    "gateway/replays.py": (f"{UNIT}/test_replays.py", *ALONE),
    "gateway/tally.py": (f"{UNIT}/test_tally.py", *ALONE),
    "gateway/limits.py": (f"{UNIT}/test_limits.py", *ALONE),
    "gateway/ledger.py": tuple(f"{UNIT}/test_ledger{part}.py" for part in ("", "_refusing", "_leaving")),
    "gateway/checkpoints.py": (f"{UNIT}/test_ledger_leaving.py",),
    "gateway/shielded.py": (f"{UNIT}/test_shielded.py",),
    "gateway/api/auth.py": tuple(f"{UNIT}/api/{name}.py" for name in ("test_auth", "test_models", "admin/test_admin")),
    "gateway/api/idempotency.py": IDEMPOTENCY,
    "gateway/api/recorder.py": IDEMPOTENCY,
}
LIMIT = 3.0  # a mutant may take so many times as long as the module itself, and SLACK_S: then it hangs, and is noticed
SLACK_S = 30.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: of `path`, at `line`, to `source`; `what` names it."""

    path: str
    line: int
    what: str
    source: str


class RemoveStatement:
    """An operator of Cosmic Ray's shape: a call, a return, a raise or a write to an attribute gives way to `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if node.type != "simple_stmt" or not node.search_ancestor("funcdef", "async_funcdef"):
            return
        statement = node.children[0]
        written = statement.type == "expr_stmt" and statement.children[0].type == "atom_expr"
        if written or statement.type in ("atom_expr", "return_stmt", "raise_stmt"):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        first = node.get_first_leaf()
        node.children[0] = importlib.import_module("parso.python.tree").Name("pass", first.start_pos, first.prefix)
        return node


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    ast, mutating, plugins = (importlib.import_module(f"cosmic_ray.{name}") for name in ("ast", "mutating", "plugins"))
    source = (root / path).read_text()
    operators = {name.removeprefix("core/"): plugins.get_operator(name) for name in plugins.operator_names()}
    for name, operator in (operators | {"RemoveStatement": RemoveStatement}).items():
        if name.endswith(("_Is_Eq", "_IsNot_NotEq")) or name.startswith("Variable"):  # the latter want arguments
            continue
        nodes = [node for node in ast.ast_nodes(ast.get_ast(source)) for _ in operator().mutation_positions(node)]
        for occurrence, node in enumerate(nodes):
            if not _unseen(node, name):
                yield Mutant(path, node.start_pos[0], name, mutating.mutate_code(source, operator(), occurrence))


def _unseen(node: Any, operator: str) -> bool:
    """Whether a change here could not be seen by a caller."""
    while parent := node.parent:
        annotation = (
            parent.type == "tfpdef"
            or (parent.type == "annassign" and parent.children[1] is node)
            or (parent.type == "funcdef" and parent.annotation is node)
        )
        decorator = node.type == "decorator" and operator != "RemoveDecorator"
        logged = node.type == "simple_stmt" and node.get_code(include_prefix=False).startswith("log.")
        if annotation or decorator or logged:
            return True
        node = parent
    return False


def passes(tests: tuple[str, ...], limit_s: float, log: Path, bytecode: bool = False) -> bool:
    """Whether the tests pass within the limit, in a process of their own; what they print goes to `log`."""
    process = os.fork()
    if not process:
        os.setsid()
        _into(log)
        sys.dont_write_bytecode = not bytecode
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutate", *tests]))
    ends = time.monotonic() + limit_s
    while not (done := os.waitpid(process, os.WNOHANG))[0] and time.monotonic() < ends:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # what the tests started and left, or all of it
    if not done[0]:
        os.waitpid(process, 0)
    return done == (process, 0)


def _into(log: Path) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(target, stream)


def judged(root: Path, path: str, sample: int, seed: int) -> tuple[int, int]:
    """How many mutants of a module there were, and how many its tests noticed. Survivors are printed."""
    module, log, started = root / path, root / "mutate.log", time.monotonic()
    if not passes(MODULES[path], 600, log, bytecode=True):
        raise SystemExit(f"{path}: its tests fail as it is; see {log}")
    limit_s = LIMIT * (time.monotonic() - started) + SLACK_S
    every = list(mutants(root, path))
    chosen = random.Random(f"{seed} {path}").sample(every, min(sample, len(every)))
    survivors = [mutant for mutant in chosen if _survives(module, mutant, limit_s, log)]
    share = 1 - len(survivors) / len(chosen)
    print(f"{path}: {len(chosen) - len(survivors)} of {len(chosen)} ({share:.0%}), of {len(every)} in all", flush=True)
    return len(chosen), len(chosen) - len(survivors)


def _survives(module: Path, mutant: Mutant, limit_s: float, log: Path) -> bool:
    source = module.read_text()
    Path(importlib.util.cache_from_source(str(module))).unlink(missing_ok=True)
    module.write_text(mutant.source)
    try:
        survives = passes(MODULES[mutant.path], limit_s, log)
    finally:
        module.write_text(source)
    if survives:
        was, now = source.splitlines()[mutant.line - 1], mutant.source.splitlines()[mutant.line - 1]
        print(f"{mutant.path}:{mutant.line} {mutant.what} survives\n  - {was.strip()}\n  + {now.strip()}", flush=True)
    return survives


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("--sample", type=int, default=25)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("modules", nargs="*")
    asked = parser.parse_intermixed_args()
    sys.path.append(str(asked.library.resolve()))
    os.chdir(asked.clone)
    sys.path.insert(0, str(Path.cwd()))
    for name in PRELOADED:
        importlib.import_module(name)
    settings.register_profile("mutate", phases=(Phase.explicit, Phase.generate), derandomize=True, deadline=None)
    figures = [judged(Path.cwd(), path, asked.sample, asked.seed) for path in asked.modules or MODULES]
    total, killed = (sum(column) for column in zip(*figures, strict=True))
    print(f"{killed} of {total} mutants killed: {killed / total:.0%}")


if __name__ == "__main__":
    main()
