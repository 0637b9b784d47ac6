"""A failure as Anthropic's API writes it, whole and as a stream's last event. Knows no exception.

The types by status: platform.claude.com/docs/en/api/errors. `details.error_code` is what Anthropic's clients offer as
`error_code`: it carries the code that OpenAI's shape has, so that a used-up budget can be told from a full minute.
"""

from typing import Any

from gateway.errors import Wire

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",  # Anthropic's own status for it is 529, which is not HTTP's
    504: "timeout_error",
}


# The pipeline speaks of a request in the names of the chat completion that it becomes.
CEILING, THEIRS = "max_completion_tokens", "max_tokens"


def refusal(wire: Wire, request_id: str) -> dict[str, Any]:
    """Anthropic's error object."""
    message = wire.message.replace(CEILING, THEIRS)
    error = {"type": _type(wire.status), "message": message, "details": {"error_code": wire.code}}
    return {"type": "error", "error": error, "request_id": request_id}


def _type(status: int) -> str:
    return TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
