"""What `tollgate prompts test` and `diff` share: whom they ask, and which failures end them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

import typer

from gateway.cli.common import Failure
from gateway.settings import Settings, SettingsError
from gateway.workbench.asking import Asking, Desk, Unanswered
from gateway.workbench.cases import CasesError
from gateway.workbench.through import Through
from prompts.errors import PromptError

Model = Annotated[str | None, typer.Option(help="An alias; default: the template's own.")]
Url = Annotated[str | None, typer.Option(help="Of a gateway that runs: try its whole chain, billed to the key.")]
Key = Annotated[str | None, typer.Option(envvar="TOLLGATE_KEY", help="A tenant's key for --url.")]


@asynccontextmanager
async def asked(settings: Settings, url: str | None, key: str | None) -> AsyncIterator[Asking]:
    """The gateway at `url`, or the backends themselves. Raises typer.BadParameter without a key for the gateway."""
    if url is None:
        async with Desk(settings) as desk:
            yield desk
        return
    if not key:
        raise typer.BadParameter("a gateway asks for a key: --key, or TOLLGATE_KEY", param_hint="--url")
    async with Through(url, key) as gateway:
        yield gateway


@contextmanager
def failures() -> Iterator[None]:
    """What is wrong with templates, cases, settings or models as a Failure."""
    try:
        yield
    except (PromptError, SettingsError, CasesError, Unanswered) as error:
        raise Failure(str(error)) from error
