"""What the API's description says of each endpoint: by which shapes it is asked, and by which it refuses.

The shapes of requests are those that read them; where one leaves a field to code beside it, that field is added here
with the same bounds. Knows no OpenAPI.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from gateway.api.admin.cache import Purge
from gateway.api.admin.keys import Listing, NewKey, Rotation
from gateway.api.admin.live import Nothing, Release
from gateway.api.admin.reports import AnyUsage, AuditQuery, QualityQuery
from gateway.api.admin.tenants import NewLimits, NewTenant
from gateway.api.anthropic.reading import CountBody, MessagesBody
from gateway.api.chat import ChatBody
from gateway.api.completions import MOST_PROMPTS, CompletionBody
from gateway.api.embeddings import MOST_INPUTS, EmbeddingBody
from gateway.api.feedback import Feedback
from gateway.api.responses.reading import OTHERS, Body
from gateway.api.usage import UsageQuery
from gateway.settings import OWN_EMBEDDER
from serving.fields import CHAT, COMPLETIONS, EMBEDDINGS, Table

OPENAI, ANTHROPIC = "https://platform.openai.com/docs/api-reference", "https://platform.claude.com/docs/en/api"
HI = [{"role": "user", "content": "Say hello."}]

Text = Annotated[str, Field(min_length=1)]
Ceiling = Annotated[Any, WithJsonSchema(dict(CHAT.fields["max_completion_tokens"].check.schema))]
Alternatives = Annotated[Any, WithJsonSchema(dict(CHAT.fields["top_logprobs"].check.schema))]


class CompletionRequest(CompletionBody):
    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_PROMPTS)]


class EmbeddingRequest(EmbeddingBody):
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]


class ResponseRequest(Body):
    max_output_tokens: Ceiling | None = None
    top_logprobs: Alternatives | None = None


class Error(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """A refusal or a failure, as OpenAI has it."""

    error: Error


class AnthropicDetails(BaseModel):
    error_code: str | None


class AnthropicError(BaseModel):
    type: str
    message: str
    details: AnthropicDetails


class AnthropicErrorBody(BaseModel):
    """A refusal or a failure, as Anthropic has it."""

    type: Literal["error"]
    error: AnthropicError
    request_id: str


@dataclass(frozen=True, slots=True)
class Described:
    """One inference endpoint. `name` is its operation, `url` where its API is told, `example` a body that any gateway
    answers; the fields that `body` leaves to a positive list are `others`.
    """

    name: str
    url: str
    body: type[BaseModel]
    example: Mapping[str, Any]
    others: Table | None = None
    error: type[BaseModel] = ErrorBody


# `auto` is the default model; for embeddings there is the gateway's own.
DESCRIBED: Mapping[str, Described] = {
    "/v1/chat/completions": Described(
        "createChatCompletion", f"{OPENAI}/chat/create", ChatBody, {"model": "auto", "messages": HI}, CHAT
    ),
    "/v1/responses": Described(
        "createResponse",
        f"{OPENAI}/responses/create",
        ResponseRequest,
        {"model": "auto", "input": "Say hello."},
        OTHERS,
    ),
    "/v1/completions": Described(
        "createCompletion",
        f"{OPENAI}/completions/create",
        CompletionRequest,
        {"model": "auto", "prompt": "Hello,"},
        COMPLETIONS,
    ),
    "/v1/embeddings": Described(
        "createEmbedding",
        f"{OPENAI}/embeddings/create",
        EmbeddingRequest,
        {"model": OWN_EMBEDDER, "input": "Hello"},
        EMBEDDINGS,
    ),
    "/v1/messages": Described(
        "createMessage",
        f"{ANTHROPIC}/messages/create",
        MessagesBody,
        {"model": "auto", "max_tokens": 16, "messages": HI},
        error=AnthropicErrorBody,
    ),
    "/v1/messages/count_tokens": Described(
        "countTokens",
        f"{ANTHROPIC}/messages/count_tokens",
        CountBody,
        {"model": "auto", "messages": HI},
        error=AnthropicErrorBody,
    ),
}

# FastAPI's own routes read these themselves, so it does not know of them: by path and method, and of GET by path.
BODIES: Mapping[tuple[str, str], type[BaseModel]] = {
    ("/v1/feedback", "post"): Feedback,
    ("/admin/tenants", "post"): NewTenant,
    ("/admin/tenants/{name}", "patch"): NewLimits,
    ("/admin/keys", "post"): NewKey,
    ("/admin/keys/{key_id}/rotate", "post"): Rotation,
    ("/admin/cache/purge", "post"): Purge,
    ("/admin/reload", "post"): Nothing,
    ("/admin/canaries/release", "post"): Release,
}
QUERIES: Mapping[str, type[BaseModel]] = {
    "/v1/usage": UsageQuery,
    "/admin/usage": AnyUsage,
    "/admin/quality": QualityQuery,
    "/admin/audit": AuditQuery,
    "/admin/keys": Listing,
}
