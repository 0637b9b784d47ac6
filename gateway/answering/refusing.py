"""What is told where no answer is given: why the last attempt was none, with the numbers, and what to change. Pure."""

from collections.abc import Sequence

from gateway.answering.causes import Bounds
from gateway.answering.judging import Judged
from gateway.errors import ContentFilter, OutputInvalid, OutputTruncated, Refusal, Unavailable
from gateway.stopping import Remedy


def refusal(judged: Judged, bounds: Bounds, tried: Sequence[Remedy]) -> Refusal:
    """OutputTruncated, OutputInvalid, ContentFilter or Unavailable. `tried` are the remedies that did not help."""
    said, after = judged.usage.output_tokens, _after(tried)
    match judged.cause:
        case "ceiling" | "tool_cut":
            what = "The answer" if judged.cause == "ceiling" else "A tool call"
            return OutputTruncated(
                f"{what} was cut after {said} tokens, before it was complete{after}. Raise max_completion_tokens, ask "
                "for less, or set gateway.on_length to `continue` or `return`.",
                param="max_completion_tokens",
            )
        case "reasoning":
            return OutputTruncated(
                f"All {said} tokens went into reasoning, and nothing was said{after}. Raise max_completion_tokens, or "
                "lower reasoning_effort or thinking_token_budget.",
                param="max_completion_tokens",
            )
        case "window":
            return OutputTruncated(
                f"The answer was cut after {said} tokens, because it and the {bounds.input} tokens of its prompt fill "
                f"the model's window of {bounds.window}{after}. Raising max_completion_tokens does not help: shorten "
                "the prompt, ask for less, or name a model with a larger window.",
                param="messages",
            )
        case "empty":
            return OutputInvalid(f"The model ended its answer without saying anything{after}; ask in other words.")
        case "repetition":
            return OutputInvalid(
                f"The engine ended the answer because it repeated itself{after}; change the penalty or the seed."
            )
        case "content_filter":
            return ContentFilter(f"The engine's filter ended the answer{after}.")
        case "invalid":
            return OutputInvalid(f"The answer does not satisfy its format: {', '.join(judged.faults)}{after}.")
    return Unavailable(f"The engine ended the answer itself ({judged.finish_reason}){after}; try again.")


def _after(tried: Sequence[Remedy]) -> str:
    return f" (after {', '.join(tried)})" if tried else ""
