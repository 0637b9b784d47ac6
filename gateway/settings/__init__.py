"""One TOML file, parsed once into frozen models that refuse what they do not know. Secrets come from the environment.

Sections carry the stages' names; a class receives its own section and nothing else. Relative paths are relative to the
file's folder. Knows no defaults that a reader cannot see in `sections.py`.

Raises `SettingsError`: every fault on its own line, with the line of the file it is about.
"""

from gateway.settings.canary import Canary
from gateway.settings.file import SettingsError, load, parse, secret
from gateway.settings.guards import AnyGuard, Guard, Injection, Pii, Secrets, Urls, Webhook, Words
from gateway.settings.sections import (
    OWN_EMBEDDER,
    Backend,
    Build,
    Cache,
    Check,
    Model,
    Name,
    OnStop,
    Preflight,
    Price,
    Retrieve,
    Route,
    Rule,
    Server,
    Settings,
    StateSection,
    Telemetry,
)

__all__ = [
    "OWN_EMBEDDER",
    "AnyGuard",
    "Backend",
    "Build",
    "Cache",
    "Canary",
    "Check",
    "Guard",
    "Injection",
    "Model",
    "Name",
    "OnStop",
    "Pii",
    "Preflight",
    "Price",
    "Retrieve",
    "Route",
    "Rule",
    "Secrets",
    "Server",
    "Settings",
    "SettingsError",
    "StateSection",
    "Telemetry",
    "Urls",
    "Webhook",
    "Words",
    "load",
    "parse",
    "secret",
]
