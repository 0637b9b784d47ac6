"""The prompt library that the settings name: a folder, or a branch of a repository with its mirror beside the ledger.

Knows no request. The settings say where templates are, `prompts` reads them.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from gateway.answering.policy import faults
from gateway.settings import Settings, secret
from prompts.errors import LibraryError, PromptNotFound
from prompts.library import Library
from prompts.remote import Remote
from prompts.source import Folder, Source
from prompts.template import Template


def library(settings: Settings) -> Library:
    """Raises LibraryError, of remedies that are none too; SettingsError where the variable of the key is not set."""
    return _usable(Library.open(source(settings)))


def anew(settings: Settings) -> Library:
    """The library as its source is now, and not what a mirror remembers. Raises as `library` does."""
    found = source(settings)
    return _usable(Library(found, found.read(None)))


def reloaded(before: Library) -> Library:
    """The library as its source is now; `before` itself when nothing has changed. Raises LibraryError."""
    found = before.reloaded()
    return found if found is before else _usable(found)


def unknown(library: Library, settings: Settings) -> list[str]:
    """Models and collections that templates name and the settings do not have, and shared prompts that are none."""
    shared = sorted({*settings.cache.shared} - {*library.ids()})
    found = [f"[cache] shared: there is no prompt {name!r}" for name in shared]
    for template in map(library.get, library.ids()):
        found += _unknown_of(template, settings)
    return found


def canary_faults(library: Library, settings: Settings) -> list[str]:
    """Of the versions under [canary.ID]: those that there are not, and what they name that there is not."""
    found = []
    for id, section in settings.canary.items():
        for version in section.versions():
            try:
                template = library.get(id, version)
            except PromptNotFound as error:
                found.append(f"[canary.{id}]: {error}")
                continue
            found += [f"[canary.{id}] {version}: {fault}" for fault in _unknown_of(template, settings)]
    return found


def _unknown_of(template: Template, settings: Settings) -> Iterator[str]:
    model, retrieve = template.front.model, template.front.retrieve
    if model and model not in settings.models:
        yield f"prompt {template.id!r} names a model that is not configured: [models.{model}]"
    if retrieve and retrieve.collection not in settings.retrieve:
        yield f"prompt {template.id!r} wants [retrieve.{retrieve.collection}], which is not there"


def source(settings: Settings) -> Source:
    """Raises SettingsError where the variable of the key is not set."""
    build = settings.build
    if build.repository is None:
        return Folder(build.prompts)
    state = Path(settings.state.ledger.removeprefix("sqlite:///")).parent
    name = hashlib.sha256(build.repository.encode()).hexdigest()[:12]
    return Remote(build.repository, state / f"prompts-{name}.git", build.branch, build.folder, secret(build.key_env))


def _usable(found: Library) -> Library:
    if wrong := faults(found):
        raise LibraryError(wrong)
    return found
