"""What a response request looks like on the wire, and what it means. Pure: bytes and limits in, values out.

It becomes a chat completion: the input its messages, the other fields chat's own or the same under chat's name. The
bounds are chat's, and what else chat may set (`top_k`, `seed`, ...) may be set here.

Nothing is stored, for an answer is its client's: `store: true` is taken, because it is OpenAI's default and some
clients send it always, the answer says `store: false`, and what needs a stored answer is refused by name.

Fields: platform.openai.com/docs/api-reference/responses/create.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import PositiveInt, Tag

from gateway.api.body import Strict, checked, member, parse, type_of
from gateway.api.endpoint import Asked, Wanted
from gateway.api.messages import Name
from gateway.api.responses.conversation import conversation
from gateway.api.responses.fields import Making
from gateway.api.responses.input import AnyItem
from gateway.api.responses.names import RENAMED
from gateway.api.responses.writing import ResponseWriter
from gateway.api.wire import GatewayBody, PromptBody, asker, countable, needs_model, needs_stream, passed_on
from gateway.errors import InvalidValue
from gateway.exchange import Message, Options
from gateway.settings import Server
from serving.bounds import anything, exactly
from serving.fields import CHAT, Field, Table


class StreamOptions(Strict):
    """Obfuscation is padding that hides the length of each token from who listens on the wire; there is none here."""

    include_obfuscation: Literal[False] | None = None


class Body(Making):
    """All fields that are read here. The last ones are OpenAI's own bookkeeping: taken, told again, not sent on."""

    model: Name | None = None
    input: (
        Annotated[
            Annotated[str, Tag("|str")] | Annotated[list[AnyItem], Tag("|list")],
            member(type_of, "a string or a list of items"),
        ]
        | None
    ) = None
    instructions: str | None = None
    prompt: PromptBody | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    gateway: GatewayBody | None = None
    max_tool_calls: PositiveInt | None = None  # of hosted tools, of which there are none
    store: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    def messages(self) -> tuple[Message, ...]:
        """The conversation as chat has it; the instructions come first."""
        before = ({"role": "system", "content": self.instructions},) if self.instructions else ()
        if isinstance(self.input, str):
            return (*before, {"role": "user", "content": self.input})
        return (*before, *conversation(self.input or ()))


_STATELESS = "nothing is stored here; send the whole conversation as input"
_AT_ONCE = "an answer is given to the request that asks for it"
_HOSTED = "it is of what OpenAI runs beside its models; run it in your app"

# What becomes of the fields that `Body` does not read: chat's own mean here what they mean there.
OTHERS = Table(
    fields={
        **{name: field for name, field in CHAT.fields.items() if name not in RENAMED and name != "n"},
        "background": Field(exactly(False, _AT_ONCE), sent=False),
        "truncation": Field(exactly("disabled", "nothing is cut silently; shorten the input yourself"), sent=False),
        "prompt_cache_retention": Field(anything, sent=False),
        "prompt_cache_options": Field(anything, sent=False),
    },
    handled=frozenset(Body.model_fields),
    refused={
        **CHAT.refused,
        **dict.fromkeys(("previous_response_id", "conversation", "previous_input_messages"), _STATELESS),
        **dict.fromkeys(("moderation", "access_programs", "image"), _HOSTED),
        "background_options": _AT_ONCE,
        "context_management": "nothing is compacted here; shorten the input yourself",
        "n": "a response is one answer; send the request again for another",
        "enable_response_messages": "the gateway speaks text, not token ids",
    },
)


def read_response(body: bytes, limits: Server) -> Wanted:
    """Read the body of POST /v1/responses. Raises InvalidValue; `param` names the field, or chat's name of it."""
    raw = parse(body, limits.max_depth)
    countable("input", raw.get("input"), limits.max_messages)
    wanted = checked(Body, raw)
    _complete(wanted)
    asked = Asked(
        model=wanted.model,
        fields=_fields(wanted, raw),
        options=wanted.gateway.options() if wanted.gateway else Options(),
        messages=wanted.messages(),
        prompt=wanted.prompt.ref() if wanted.prompt else None,
        stream=wanted.stream or False,
        conversation=asker(raw),
    )
    return Wanted(asked, lambda call: ResponseWriter(call.request_id, raw))


def _complete(wanted: Body) -> None:
    """What holds between fields."""
    if wanted.prompt is None and wanted.input in (None, []):
        raise InvalidValue('Send an input, or name a prompt: {"prompt": {"id": ...}}.', param="input")
    needs_model(wanted.model, wanted.prompt)
    needs_stream(wanted.stream_options, wanted.stream)


def _fields(wanted: Body, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to pass on, in chat's names and bounds."""
    if name := next((name for name in raw if name in RENAMED), None):
        raise InvalidValue(f"{name} is chat's name; this API has {RENAMED[name]} instead.", param=RENAMED[name])
    return passed_on(wanted.chat()) | passed_on(raw, OTHERS)
