"""The settings' guards, made: those that come with the gateway, and those that ask another server. Asks nobody yet."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from gateway.guards.asking import Watch
from gateway.guards.detectors import detector
from gateway.guards.protocols import Guard
from gateway.guards.webhook import Webhook
from gateway.models import Model
from gateway.settings import Guard as Section
from gateway.settings import SettingsError, secret
from gateway.settings import Webhook as WebhookSection


def made(sections: Mapping[str, Section], models: Mapping[str, Model], stack: AsyncExitStack) -> list[Watch]:
    """The guards in the order of the file; what must close goes on the stack. `models` may be filled later.

    Raises SettingsError with each fault that no section can show by itself: a kind of finding or a pattern that the
    detector does not take, a key that is not set or none.
    """
    watches, faults = [], []
    for name, section in sections.items():
        try:
            guard = one(name, section, models)
        except (ValueError, SettingsError) as error:
            faults.append(f"[guard.{name}]: {error}")
            continue
        if isinstance(guard, Webhook):
            stack.push_async_callback(guard.aclose)
        watches.append(Watch(guard, section))
    if faults:
        raise SettingsError(faults)
    return watches


def one(name: str, section: Section, models: Mapping[str, Model]) -> Guard:
    """One guard. Raises ValueError or SettingsError."""
    if isinstance(section, WebhookSection):
        return Webhook(name, section, secret(section.key_env))
    return detector(section, name, models)
