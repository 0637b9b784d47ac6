"""Preflight: the prompt's exact length, and the arithmetic of the window, before anything is spent. Knows no budget.

The output ceiling is what the request asks for, else the model's default, and never more than the window leaves; where
passages will be added, the room for them is what is left beside the ceiling. Every generation that the policy on length
allows is planned here, for the longest of the models that may answer, so that the hold covers all of them.
"""

from collections.abc import Mapping

from gateway.errors import ContextLengthExceeded, InvalidValue
from gateway.exchange import Attempt, Call, Plan, Prompt
from gateway.models import Model
from gateway.scopes import permits
from gateway.tracing import traced
from serving.errors import BackendError
from serving.tokens import Count, EstimateTokens, PromptRefused

# What else of a request vLLM hands to the chat template.
TEMPLATED = ("tools", "reasoning_effort")
ESTIMATE = EstimateTokens()


class Preflight:
    """Plans one request against the windows of its model and that model's fallbacks."""

    def __init__(self, models: Mapping[str, Model], rounds: int) -> None:
        self._models, self._rounds = models, rounds

    @traced("preflight")
    async def __call__(self, call: Call, prompt: Prompt) -> Plan:
        """Raises ContextLengthExceeded, with the numbers, when the window leaves no token for an answer."""
        model = self._models[prompt.model]
        count = await self.count(prompt.model, prompt)
        left = model.window - count.tokens
        if left < 1:
            raise ContextLengthExceeded(  # in OpenAI's words, by which LiteLLM and others know it
                f"This model's maximum context length is {model.window} tokens, and the prompt for {prompt.model!r} "
                f"has {count.tokens}: shorten it by at least {1 - left}.",
                param=_param(prompt),
            )
        output = min(_asked(prompt) or model.max_output, left)
        room = self._room(prompt, left - output)
        allowed = [alias for alias in model.fallback if permits(call.caller.scopes.models, alias)]
        chain = (prompt.model, *[alias for alias in allowed if alias in self._models])
        longest = max([count.tokens, *[await self._length(alias, prompt) for alias in chain[1:]]])
        attempts = self._attempts(prompt, longest + room, output, model.window)
        return Plan(count, output, room, model.window, attempts, chain)

    async def count(self, alias: str, prompt: Prompt) -> Count:
        """How long the prompt is for a model. Raises InvalidValue when the model cannot take it at all."""
        try:
            return await self._models[alias].tokens.count(request(prompt))
        except PromptRefused as error:
            param = _param(prompt)
            raise InvalidValue(f"The model {alias!r} cannot take this prompt: {error}.", param=param) from error
        except BackendError:  # the replica that counts is away; another may still answer
            return await ESTIMATE.count(request(prompt))

    async def _length(self, alias: str, prompt: Prompt) -> int:
        """Tokens for a fallback; 0 where it cannot take the messages, for then it will not answer."""
        try:
            return (await self.count(alias, prompt)).tokens
        except InvalidValue:
            return 0

    def _room(self, prompt: Prompt, left: int) -> int:
        return min(prompt.retrieve.snapshot.section.max_tokens, left) if prompt.retrieve else 0

    def _attempts(self, prompt: Prompt, given: int, output: int, window: int) -> tuple[Attempt, ...]:
        n = int(prompt.fields.get("n") or 1)
        first = Attempt(given, output * n)
        match prompt.on_length:
            case "retry":
                more = min(2 * output, window - given)
                return (first, Attempt(given, more * n)) if more > output else (first,)
            case "continue":
                inputs = [given + output * done for done in range(1, self._rounds + 1)]
                return (first, *[Attempt(i, min(output, window - i)) for i in inputs if i < window])
        return (first,)


def request(prompt: Prompt) -> dict[str, object]:
    """The part of the request that has tokens: what the chat template renders, or a raw prompt."""
    if prompt.text is not None:
        return {"prompt": prompt.text}
    return {"messages": [dict(m) for m in prompt.messages]} | {
        name: prompt.fields[name] for name in TEMPLATED if prompt.fields.get(name) is not None
    }


def _param(prompt: Prompt) -> str:
    return "messages" if prompt.text is None else "prompt"


def _asked(prompt: Prompt) -> int | None:
    """The ceiling the request names; vLLM lets max_completion_tokens win over the older max_tokens."""
    asked = prompt.fields.get("max_completion_tokens") or prompt.fields.get("max_tokens")
    if asked is not None and int(prompt.fields.get("min_tokens") or 0) > int(asked):
        raise InvalidValue(
            "min_tokens is above the output ceiling: lower the one or raise the other.", param="min_tokens"
        )
    return int(asked) if asked is not None else None
