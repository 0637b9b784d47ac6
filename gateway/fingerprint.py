"""What must be equal before one answer may stand for another: two digests. Knows no store and no similarity.

`partition` covers everything that changes an answer but the question itself: whose it is, model as served, template
digest and its other variables, all other messages, sampling fields, tools, schema, embedder; of a search the version of
the collection, its filter, and the access labels of the caller's key. `key` adds the exact question. Similarity decides
only inside a partition, so a text of one tenant can never answer another's.

A prompt that was cut is the one that was asked, whole, with the rule and the window that it was cut by: these decide
what is sent, while what is left of it before its passages are known does not, for it grows back into what they leave.
The examples of a template follow from its digest, the question and the embedder, which are all in here.

The question is taken in Unicode's composed form (NFC: the same characters) and without the white space around it. Its
case and the white space inside stay: they change the meaning of code, tables and names.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.exchange import Call, Prompt

# Fields that name the request and not its answer.
_BESIDE = ("stream", "stream_options", "user", "metadata")


def _digest(*parts: object) -> str:
    canonical = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=dict)
    return hashlib.sha256(canonical).hexdigest()


def fingerprint(
    call: Call, prompt: Prompt, shared: bool, served: str, embedder: str, output: int, guards: str = ""
) -> tuple[str, str]:
    """(partition, key), hex SHA-256. `shared`: the answer may stand for any tenant's; `served` is the engine's own name
    of the model, `output` the ceiling in tokens where the request names none, `guards` what changes with the guards
    of what is answered: an answer is kept as they left it."""
    fields = {name: value for name, value in prompt.fields.items() if name not in _BESIDE}
    partition = _digest(
        "6", None if shared else call.caller.tenant, prompt.model, served, _origin(call, prompt), fields, output,
        prompt.format, prompt.retrieve and prompt.retrieve.parts(),
        prompt.on_stop, embedder, guards, prompt.cut and (prompt.cut.rule, prompt.cut.window),
    )  # fmt: skip
    return partition, _digest(partition, _plain(prompt.question))


def _plain(question: str | None) -> str | None:
    return None if question is None else unicodedata.normalize("NFC", question).strip()


def _origin(call: Call, prompt: Prompt) -> Any:
    """Where the prompt comes from, less the question: a template and its other variables, the other messages, or a raw
    text."""
    if prompt.text is not None:
        return ["text", prompt.parts.text if prompt.cut else prompt.text]
    if prompt.template is None or call.prompt is None:
        *others, last = (prompt.parts.messages if prompt.cut else prompt.messages) or ({},)
        others.append(last if prompt.question is None else _without(last, "content"))
        return ["messages", [dict(m) for m in others]]
    variables = _without(call.prompt.variables, prompt.template.front.question)
    return ["template", prompt.template.id, prompt.template.digest, variables, [dict(m) for m in call.messages]]


def _without(values: Mapping[str, Any], left_out: str | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != left_out}
