"""The prompt library that the settings name: a folder, or a branch of a repository with its mirror beside the ledger.

Knows no request. The settings say where templates are, `prompts` reads them.
"""

import hashlib
from pathlib import Path

from gateway.answering.policy import faults
from gateway.settings import Settings, secret
from prompts.errors import LibraryError
from prompts.library import Library
from prompts.remote import Remote
from prompts.source import Folder, Source


def library(settings: Settings) -> Library:
    """Raises LibraryError, of remedies that are none too, and SettingsError where the variable of the key is not set."""
    found = Library.open(source(settings))
    if wrong := faults(found):
        raise LibraryError(wrong)
    return found


def source(settings: Settings) -> Source:
    """Raises SettingsError where the variable of the key is not set."""
    build = settings.build
    if build.repository is None:
        return Folder(build.prompts)
    state = Path(settings.state.ledger.removeprefix("sqlite:///")).parent
    name = hashlib.sha256(build.repository.encode()).hexdigest()[:12]
    return Remote(build.repository, state / f"prompts-{name}.git", build.branch, build.folder, secret(build.key_env))
