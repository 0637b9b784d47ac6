"""Preflight: the prompt's exact length, and the arithmetic of the window, before anything is spent. Knows no budget.

The output ceiling is what the request asks for, else the model's default, and never more than the window leaves; where
passages will be added, the room for them is what is left beside the ceiling. Every generation that the policy allows is
planned here (`gateway.answering.planning`), for the longest of the models that may answer, so that the hold covers all
of them. A ceiling that the wanted format cannot be met below is refused.
"""

from collections.abc import Mapping
from dataclasses import replace

from gateway.answering.planning import Space, attempts
from gateway.errors import ContextLengthExceeded, InvalidValue
from gateway.exchange import Call, Format, Plan, Prompt
from gateway.linting import least_tokens
from gateway.models import Model
from gateway.scopes import permits
from gateway.tracing import traced
from gateway.truncation.turns import past
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
    async def __call__(self, call: Call, prompt: Prompt, counted: Count | None = None) -> Plan:
        """`counted` is its length, where it is known.

        Raises ContextLengthExceeded, with the numbers, when the window leaves no token for an answer; InvalidValue when
        none in its format is as short as the ceiling.
        """
        model = self._models[prompt.model]
        count = counted or await self.count(prompt.model, prompt)
        left = model.window - count.tokens
        if left < 1:
            raise ContextLengthExceeded(  # in OpenAI's words, by which LiteLLM and others know it
                f"This model's maximum context length is {model.window} tokens, and the prompt for {prompt.model!r} "
                f"has {count.tokens}{_left(prompt)}: shorten it by at least {1 - left}.",
                param=_param(prompt),
            )
        ceiling = asked(prompt) or model.max_output
        output = min(ceiling, left)
        models = self._chain(call, prompt.model)
        _enough(min(_least(prompt.format, self._models[alias]) for alias in models), output)
        room = self._room(prompt, left - output)
        space = Space(
            input=count.tokens,
            given=max([count.tokens, *[await self._length(alias, prompt) for alias in models[1:]]]) + room,
            output=output,
            asked=ceiling,
            window=model.window,
            rounds=self._rounds,
            fallback=len(models) > 1,
            shorter=prompt.text is None and (prompt.retrieve is not None or bool(past(prompt.kept.messages))),
        )
        made = attempts(prompt, space)
        if any(attempt.remedy == "fallback" for attempt in made):  # whose own fallbacks may answer for it
            further = [name for alias in models[1:] for name in self._chain(call, alias) if name not in models]
            given = max([space.given, *[room + await self._length(alias, prompt) for alias in further]])
            models, made = (*models, *dict.fromkeys(further)), attempts(prompt, replace(space, given=given))
        return Plan(count, output, room, model.window, made, models)

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
        return min(prompt.retrieve.max_tokens, left) if prompt.retrieve else 0

    def _chain(self, call: Call, alias: str) -> tuple[str, ...]:
        """The alias and those of its fallbacks that are connected and that the key may use."""
        allowed = [name for name in self._models[alias].fallback if permits(call.caller.scopes.models, name)]
        return (alias, *[name for name in allowed if name in self._models])


def request(prompt: Prompt) -> dict[str, object]:
    """The part of the request that has tokens: what the chat template renders, or a raw prompt."""
    if prompt.text is not None:
        return {"prompt": prompt.text}
    return {"messages": [dict(m) for m in prompt.messages]} | {
        name: prompt.fields[name] for name in TEMPLATED if prompt.fields.get(name) is not None
    }


def _left(prompt: Prompt) -> str:
    return ", although everything was left out that may be" if prompt.cut else ""


def _param(prompt: Prompt) -> str:
    return "messages" if prompt.text is None else "prompt"


def _least(format: Format, model: Model) -> int:
    """The fewest tokens of an answer by this model."""
    return least_tokens(format, model.cuts, model.cuts.longest) if model.cuts else least_tokens(format)


def _enough(least: int, output: int) -> None:
    """Raises InvalidValue where no valid answer is as short as the ceiling: it could only be cut."""
    if least > output:
        raise InvalidValue(
            f"No answer in the format that is asked for has fewer than {least} tokens, and the ceiling is {output}: "
            "raise max_completion_tokens, or shorten the prompt where the window leaves no more.",
            param="max_completion_tokens",
        )


def asked(prompt: Prompt) -> int | None:
    """The ceiling the request names; vLLM lets max_completion_tokens win over the older max_tokens."""
    ceiling = prompt.fields.get("max_completion_tokens") or prompt.fields.get("max_tokens")
    if ceiling is not None and int(prompt.fields.get("min_tokens") or 0) > int(ceiling):
        raise InvalidValue(
            "min_tokens is above the output ceiling: lower the one or raise the other.", param="min_tokens"
        )
    return int(ceiling) if ceiling is not None else None
