"""`tollgate`: the command line's table of contents, and its exit codes.

0: done; 1: it failed, and the last lines say why; 2: the command was used wrongly. Failures that a user can mend are
translated here, once, into one line each; anything else is a bug and keeps its traceback.
"""

import atexit
import gc
import sys

import typer

from gateway.cli import (
    audit,
    cache,
    check,
    index,
    keys,
    prompts,
    quality,
    sample,
    schemas,
    serve,
    tenants,
    tokens,
    trace,
    up,
    usage,
    worker,
)
from gateway.cli.common import Failure
from gateway.settings import SettingsError
from gateway.state import StateUnavailable

app = typer.Typer(
    name="tollgate",
    help="The gateway between a company's apps and the LLMs it hosts itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    up.up,
    serve.serve,
    check.check,
    usage.usage,
    quality.quality,
    audit.audit,
    trace.trace,
    tokens.tokens,
    sample.sample,
):
    app.command()(command)
app.command(hidden=True)(worker.worker)
for group in (tenants, keys, prompts, index, cache, schemas):
    app.add_typer(group.app)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave the process with its exit code."""
    atexit.register(gc.freeze)  # or the interpreter's end takes seconds: it collects torch's objects several times over
    try:
        app(arguments)
    except (Failure, SettingsError, StateUnavailable) as error:
        typer.echo(f"tollgate: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
