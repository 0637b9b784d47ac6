"""The input items of a response request, strict to the last field.

An app's history comes back as a client kept it, so the fields of our own output items are known here; ids and statuses
mean nothing, for nothing is stored. Knows nothing of the rest of the request.

Items: platform.openai.com/docs/api-reference/responses/create#responses-create-input.
"""

from typing import Annotated, Any, Literal

from pydantic import Tag

from gateway.api.body import Strict, field_of, member, type_of
from gateway.api.messages import DataUrl, Name

Chat = dict[str, Any]  # a part or a call as chat has it
Status = Literal["in_progress", "completed", "incomplete"]


class TextPart(Strict):
    """Annotations and logprobs are those of an answer that comes back; they say nothing to a model."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None

    def chat(self) -> Chat:
        return {"type": "text", "text": self.text}


class RefusalPart(Strict):
    type: Literal["refusal"]
    refusal: str

    def chat(self) -> Chat:
        return {"type": "text", "text": self.refusal}


class ImagePart(Strict):
    type: Literal["input_image"]
    image_url: DataUrl
    detail: Literal["auto", "low", "high"] | None = None
    file_id: None = None  # no file is stored here

    def chat(self) -> Chat:
        detail = {"detail": self.detail} if self.detail else {}
        return {"type": "image_url", "image_url": {"url": self.image_url} | detail}


AnyPart = Annotated[
    Annotated[TextPart, Tag("|input_text")]
    | Annotated[TextPart, Tag("|output_text")]
    | Annotated[RefusalPart, Tag("|refusal")]
    | Annotated[ImagePart, Tag("|input_image")],
    member(field_of("type"), "a part whose type is input_text, output_text, refusal or input_image"),
]
Content = Annotated[
    Annotated[str, Tag("|str")] | Annotated[list[AnyPart], Tag("|list")],
    member(type_of, "a string or a list of parts"),
]


class Said(Strict):
    """What someone said. `phase` is one of OpenAI's models' own notes."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    type: Literal["message"] = "message"
    id: Name | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class Called(Strict):
    """A function that the model called. `namespace` and `caller` are of OpenAI's hosted tools."""

    type: Literal["function_call"]
    call_id: Name
    name: Name
    arguments: str
    id: Name | None = None
    status: Status | None = None
    namespace: None = None
    caller: None = None

    def chat(self) -> Chat:
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.call_id, "type": "function", "function": function}


class Returned(Strict):
    """What the called function returned."""

    type: Literal["function_call_output"]
    call_id: Name
    output: Content
    id: Name | None = None
    status: Status | None = None


class Thought(Strict):
    type: Literal["reasoning_text", "summary_text"]
    text: str


class Reasoned(Strict):
    """How the model came to what it did next. A summary, or what only OpenAI can decrypt, is not handed on."""

    type: Literal["reasoning"]
    summary: list[Thought]
    content: list[Thought] | None = None
    id: Name | None = None
    encrypted_content: str | None = None
    status: Status | None = None


def _kind(value: Any) -> str | None:
    """A message needs no type."""
    kind = field_of("type")(value)
    return "message" if kind is None and field_of("role")(value) else kind


Item = Said | Called | Returned | Reasoned
AnyItem = Annotated[
    Annotated[Said, Tag("|message")]
    | Annotated[Called, Tag("|function_call")]
    | Annotated[Returned, Tag("|function_call_output")]
    | Annotated[Reasoned, Tag("|reasoning")],
    member(
        _kind,
        "an item whose type is message, function_call, function_call_output or reasoning. Nothing is stored or run "
        "here; clients that are told store: false send their items themselves, not references",
    ),
]
