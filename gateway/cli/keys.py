"""`tollgate keys`: a tenant's keys. A key is shown once, when it is made; only its digest is kept."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gateway.cli.common import (
    SETTINGS,
    Config,
    Failure,
    Json,
    Limits,
    StateDir,
    by,
    limits_of,
    settings_of,
    show,
    tenant_of,
    usable,
    when,
    with_state,
)
from gateway.cli.times import end_of, seconds_of
from gateway.keyring import Issued, KeyEnded, checked_label, checked_overlap, issue, rotate
from gateway.scopes import checked_entries, checked_labels, checked_tags, named
from gateway.state import Key, Scopes, State
from gateway.state.limits import format_limit

app = typer.Typer(name="keys", help="A tenant's keys; each is shown once.", no_args_is_help=True)

TenantName = Annotated[str, typer.Option("--tenant", help="The tenant's name.")]
KeyId = Annotated[str, typer.Argument(help="The key's id: the part between tg_ and the next underscore.")]
Label = Annotated[str, typer.Option(help="What it is for, for people.")]
Expires = Annotated[str | None, typer.Option(help="30d, 2026-12-31 (that day included) or an ISO time.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="A model it may use, or models/*; repeat.")]
Prompts = Annotated[list[str] | None, typer.Option("--prompt", help="A prompt it may use, or support/*; repeat.")]
Collections = Annotated[list[str] | None, typer.Option("--collection", help="A collection it may use; repeat.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="feature=search: on all of its requests; repeat.")]
Access = Annotated[list[str] | None, typer.Option("--access", help="A label of documents that it holds; repeat.")]
Overlap = Annotated[str, typer.Option(help="How long the old key goes on, such as 24h.")]


@app.command()
def create(
    tenant: TenantName,
    limit: Limits = None,
    label: Label = "",
    expires: Expires = None,
    model: Models = None,
    prompt: Prompts = None,
    collection: Collections = None,
    tag: Tags = None,
    access: Access = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Make a key; its limits bind it beside the tenant's. Without --model, --prompt, --collection it may use all.

    Of documents with access labels it finds those whose labels it holds all, by --access.
    """
    limits, label = limits_of(limit), usable("--label", checked_label, label)
    scopes = Scopes(
        _entries("--model", model),
        _entries("--prompt", prompt),
        _entries("--collection", collection),
        usable("--tag", _tags, tag or ()),
        usable("--access", checked_labels, access or ()),
    )

    async def made(opened: State) -> Issued:
        zone, now = (await tenant_of(opened, tenant)).zone, opened.clock.now()
        ends = None if expires is None else usable("--expires", lambda text: end_of(text, now, zone), expires)
        return await issue(opened.keys, by(), tenant, now, limits, ends, label, scopes)

    _show_once(with_state(settings_of(config, state), made), as_json)


@app.command("list")
def list_(tenant: TenantName, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """A tenant's keys, oldest first."""

    async def keys(opened: State) -> list[Key]:
        await tenant_of(opened, tenant)
        return await opened.keys.keys(tenant)

    show([_row(key) for key in with_state(settings_of(config, state), keys)], as_json)


@app.command()
def revoke(key_id: KeyId, config: Config = SETTINGS, state: StateDir = None) -> None:
    """End a key: a running gateway refuses it within a second."""

    async def revoked(opened: State) -> bool:
        return await opened.keys.revoke(key_id, opened.clock.now(), by())

    if not with_state(settings_of(config, state), revoked):
        raise Failure(_unknown(key_id))


@app.command("rotate")
def rotate_(
    key_id: KeyId, overlap: Overlap = "0", config: Config = SETTINGS, state: StateDir = None, as_json: Json = False
) -> None:
    """Make a key of the same limits, scopes, label and expiry; the old one ends at once, or after --overlap."""
    seconds = usable("--overlap", lambda text: checked_overlap(seconds_of(text)), overlap)

    async def rotated(opened: State) -> Issued:
        found = await opened.keys.find(key_id)
        if found is None:
            raise Failure(_unknown(key_id))
        try:
            return await rotate(opened.keys, by(), found[0], opened.clock.now(), seconds)
        except KeyEnded as error:
            raise Failure(f"{error} with `tollgate keys create`") from error

    _show_once(with_state(settings_of(config, state), rotated), as_json)


def _entries(option: str, entries: Sequence[str] | None) -> tuple[str, ...] | None:
    return usable(option, checked_entries, entries) if entries else None


def _tags(texts: Sequence[str]) -> dict[str, str]:
    tags = dict(text.partition("=")[::2] for text in texts)
    if not all("=" in text for text in texts) or len(tags) < len(texts):
        raise ValueError("write each tag once, as name=value")
    return checked_tags(tags)


def _unknown(key_id: str) -> str:
    return f"there is no key with the id {key_id[:16]!r}; `tollgate keys list --tenant NAME` prints the ids"


def _show_once(issued: Issued, as_json: bool) -> None:
    show([{"id": issued.key.id, "tenant": issued.key.tenant, "key": issued.full}], as_json)


def _row(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "label": key.label,
        "limits": [format_limit(limit) for limit in key.limits],
        "models": named(key.scopes.models),
        "prompts": named(key.scopes.prompts),
        "collections": named(key.scopes.collections),
        "tags": [f"{name}={value}" for name, value in key.scopes.tags.items()],
        "access": list(key.scopes.access),
        "created": when(key.created),
        "expires": when(key.expires),
        "revoked": when(key.revoked),
    }
