"""`tollgate check`: everything that a start would find wrong, before a start. Changes nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from typing import Annotated

import typer

from gateway import templates
from gateway.cli.common import SETTINGS, Config, StateDir, settings_of, with_state
from gateway.connect import Models
from gateway.encoders import encoder
from gateway.guards.making import made
from gateway.linting.templates import warnings
from gateway.settings import Settings, SettingsError, secret
from gateway.state import State, StateUnavailable
from gateway.versions import versions
from prompts.errors import LibraryError
from retrieval.collection import CollectionError
from retrieval.protocols import IndexUnavailable
from retrieval.weights import EmbedderUnavailable
from serving.backend import Backend
from serving.errors import BackendError

Offline = Annotated[bool, typer.Option("--offline", help="Do not ask backends and engines.")]


def check(config: Config = SETTINGS, state: StateDir = None, offline: Offline = False) -> None:
    """Check settings, prompts, collections and backends: every fault on its own line."""
    settings = settings_of(config, state)
    asking = not offline and not any(_secrets(settings))
    faults = [*faults_of_start(settings), *_collections(settings, asking), *_unknown_names(settings)]
    if asking:
        faults += asyncio.run(_backends(settings))
    for fault in faults:
        typer.echo(fault)
    for warning in (*_warnings(settings), *_strangers(settings)):
        typer.echo(f"warning: {warning}", err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo("no faults", err=True)


def faults_of_start(settings: Settings) -> list[str]:
    """What would keep the gateway from starting: secrets that are not set; prompts, canaries, guards or a state that
    cannot be used."""
    return [*_secrets(settings), *_prompts(settings), *_guards(settings), *_state(settings)]


def _secrets(settings: Settings) -> Iterator[str]:
    named = {"the repository of [build]": settings.build.key_env}
    named |= {f"backend {name!r}": section.api_key_env for name, section in settings.backends.items()}
    named |= {f"collection {name!r}": section.engine_key_env for name, section in settings.retrieve.items()}
    for what, variable in named.items():
        try:
            secret(variable)
        except SettingsError as error:
            yield f"{what}: {error}"


def _prompts(settings: Settings) -> Iterator[str]:
    try:
        library = templates.library(settings)
        found = library.notes
        yield from templates.canary_faults(library, settings)
    except LibraryError as error:
        found = error.faults
    except SettingsError:  # told with the secrets
        return
    yield from (f"{settings.build.repository or settings.build.prompts}: {fault}" for fault in found)


def _warnings(settings: Settings) -> list[str]:
    """What the engine will refuse or not enforce in the output schemas of templates; they do not fail."""
    try:
        return list(warnings(templates.library(settings)))
    except (LibraryError, SettingsError):  # told as faults
        return []


def _strangers(settings: Settings) -> Iterator[str]:
    """Tenants that guards name and nobody is: whoever is meant has no guard."""
    named = {name: section.tenants for name, section in settings.guard.items() if section.tenants is not None}
    if not named:
        return
    try:
        known = {tenant.name for tenant in with_state(settings, lambda state: state.keys.tenants())}
    except (StateUnavailable, ValueError):  # told as a fault
        return
    for guard, tenants in named.items():
        yield from (f"[guard.{guard}] tenants: there is no tenant {one!r}" for one in sorted({*tenants} - known))
        if not tenants:
            yield f"[guard.{guard}] tenants: it names none, so it looks at nothing; leave it out for all tenants"


def _guards(settings: Settings) -> list[str]:
    try:
        made(settings.guard, {}, AsyncExitStack())  # it asks nobody, so there is nothing to close
    except SettingsError as error:
        return error.faults
    return []


def _state(settings: Settings) -> Iterator[str]:
    async def reached(_: State) -> None:
        """Opening it is the check."""

    try:
        with_state(settings, reached)
    except (StateUnavailable, ValueError) as error:
        yield f"state: {error}"


def _collections(settings: Settings, asking: bool) -> Iterator[str]:
    """Those in folders and, when `asking`, those in engines."""
    for name, section in settings.retrieve.items():
        if section.engine and not asking:
            continue
        try:
            with encoder(settings, section) as made, closing(versions(name, section)) as kept:
                kept.newest(made.identity)
        except IndexUnavailable as error:
            yield f"collection {name!r} at {section.engine}: {error}"
        except (CollectionError, EmbedderUnavailable, SettingsError) as error:
            yield str(error)


def _unknown_names(settings: Settings) -> Iterator[str]:
    """Models and collections that templates name and the settings do not have, and shared prompts that are none."""
    if not settings.models:
        yield "no model is configured: add a [models.NAME] and its [backends.NAME]"
    try:
        library = templates.library(settings)
    except (LibraryError, SettingsError):
        return
    yield from templates.unknown(library, settings)


async def _backends(settings: Settings) -> list[str]:
    models = Models(settings)
    try:
        answers = await asyncio.gather(*(_served(backend) for backend in models.backends.values()))
    finally:
        await models.aclose()
    served = dict(zip(models.backends, answers, strict=True))
    faults = [answer for answer in answers if isinstance(answer, str)]
    for alias, section in settings.models.items():
        for name in section.backends:
            known = served[name]
            if not isinstance(known, str) and section.served and section.served not in known:
                faults.append(f"model {alias!r}: backend {name!r} serves {', '.join(known)}, not {section.served!r}")
    return faults


async def _served(backend: Backend) -> list[str] | str:
    """The names a backend serves, or what is wrong with it."""
    try:
        return [model.id for model in await backend.models()]
    except BackendError as error:
        return f"backend {backend.name!r} at {backend.url}: {error.message}"
