"""From the file to its settings: parsed, checked, names held against each other, paths made absolute.

Secrets come from the environment, for the file only names their variables.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.settings.guards import Injection
from gateway.settings.sections import OWN_EMBEDDER, Model, Settings
from gateway.toml_lines import line_of

_ADDRESS = re.compile(r"\w+://|[\w.-]+@[\w.-]+:")  # a URL, or git's short form for ssh


class SettingsError(Exception):
    """Raised when the file cannot be used. `faults` has one line per fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load(path: Path) -> Settings:
    """Read and check `path`. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}; name the file with --config"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: not TOML: {error}"]) from error
    return parse(table, text, path)


def parse(table: dict[str, Any], text: str, path: Path) -> Settings:
    """Check a parsed table; `text` is only for line numbers. Raises SettingsError."""
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise SettingsError([_fault(path, text, _key(e["loc"]), e["msg"]) for e in error.errors()]) from error
    faults = list(_dangling(settings, text, path))
    if faults:
        raise SettingsError(faults)
    return _anchored(settings, path.parent)


def secret(name: str | None) -> str | None:
    """A secret from the environment. Raises SettingsError when the named variable is not set."""
    if name is None:
        return None
    if not os.environ.get(name):
        raise SettingsError([f"the environment variable {name} is not set, but the settings name it as a secret"])
    return os.environ[name]


def _key(where: tuple[Any, ...]) -> tuple[Any, ...]:
    """The key as the file has it: of a guard pydantic also names the kind."""
    return (*where[:2], *where[3:]) if where[0] == "guard" else where


def _fault(path: Path, text: str, where: tuple[Any, ...], message: str) -> str:
    name = ".".join(str(part) for part in where)
    hint = "unknown key" if message.startswith("Extra inputs") else message
    return f"{path}:{line_of(text, where)}: {name}: {hint}"


def _dangling(settings: Settings, text: str, path: Path) -> list[str]:
    """Names that nothing bears, or no model of the right kind: backends and fallbacks of models, the default model,
    priced models, those that the cache and the collections ask."""
    faults = []
    for alias, model in settings.models.items():
        where = ("models", alias)
        faults += [
            _fault(path, text, (*where, "backends"), f"no [backends.{b}]")
            for b in model.backends
            if b not in settings.backends
        ]
        faults += [
            _fault(path, text, (*where, "fallback"), f"no [models.{m}]")
            for m in model.fallback
            if m not in settings.models
        ]
    priced = {*settings.models, OWN_EMBEDDER}
    faults += [_fault(path, text, ("prices", m), f"no [models.{m}]") for m in settings.prices if m not in priced]
    default = settings.preflight.default_model
    if default and default not in settings.models:
        faults.append(_fault(path, text, ("preflight", "default_model"), f"no [models.{default}]"))
    return faults + [_fault(path, text, key, message) for key, message in _unable(settings)]


def _unable(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys whose model is not there or cannot do what it is for, and why."""
    cache, models = settings.cache, settings.models
    scoring: dict[tuple[str, ...], str | None] = {("cache", "verifier"): cache.verifier}
    scoring |= {("retrieve", name, "rerank"): section.rerank for name, section in settings.retrieve.items()}
    asked = [
        (("guard", name, "model"), one.model) for name, one in settings.guard.items() if isinstance(one, Injection)
    ]
    for key, alias in [(("cache", "judge"), cache.judge), *asked, *scoring.items()]:
        if alias and alias not in models:
            yield key, f"no [models.{alias}]"
    if cache.judge in models and not settings.writes(str(cache.judge)):
        yield ("cache", "judge"), f"[models.{cache.judge}] writes no text"
    for name, section in settings.retrieve.items():
        if section.embedder and (why := _encodes_not(section.embedder, models)):
            yield ("retrieve", name, "embedder"), why
        if section.engine and "/" in name:
            yield ("retrieve", name, "engine"), "its collections have no '/' in their names: name this one without"
    for key, alias in scoring.items():
        if alias in models and not models[str(alias)].scores:
            yield key, f"[models.{alias}] is none that scores: set its `scores = true`, or name another"


def _encodes_not(alias: str, models: Mapping[str, Model]) -> str | None:
    """Why a model cannot make the vectors of a collection: commands ask its backends too, without a gateway."""
    if alias not in models:
        return f"no [models.{alias}]"
    if not models[alias].embeddings:
        return f"[models.{alias}] makes no embeddings: set its `embeddings = true`, or name another"
    return None if models[alias].served else f"[models.{alias}] must say its name at the backends: `served`"


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative paths made absolute from the file's folder."""
    models = {
        name: model.model_copy(update={"tokenizer": folder / model.tokenizer if model.tokenizer else None})
        for name, model in settings.models.items()
    }
    retrieve = {
        name: part.model_copy(
            update={
                "path": folder / part.path,
                "source": folder / part.source if part.source else None,
                "weights": folder / part.weights if part.weights else None,
            }
        )
        for name, part in settings.retrieve.items()
    }
    build = settings.build.model_copy(
        update={
            "prompts": folder / settings.build.prompts,
            "repository": _repository(settings.build.repository, folder) if settings.build.repository else None,
        }
    )
    state = settings.state.model_copy(
        update={"url": _file(settings.state.url, folder), "ledger": _file(settings.state.ledger, folder)}
    )
    return settings.model_copy(update={"models": models, "retrieve": retrieve, "build": build, "state": state})


def _repository(address: str, folder: Path) -> str:
    """An address as it is; a path made absolute."""
    return address if _ADDRESS.match(address) else str(folder / address)


def _file(url: str, folder: Path) -> str:
    """An sqlite URL with its path made absolute; any other as it is."""
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    return prefix + str(folder / path) if url.startswith(prefix) and path != ":memory:" else url
