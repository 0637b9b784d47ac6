"""What a call becomes: which model, messages, fields, policies; and what is refused by name."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InvalidValue, NotAllowed, NotFound, Unavailable
from gateway.exchange import Call, Caller, Prompt, Retrieval
from gateway.state import Scopes
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}

TOOLS = [{"type": "function", "function": {"name": "f"}}]


def built(core: Assembled, asked: Call) -> Prompt:
    return core.do(core.runtime.pipeline.build(asked))


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": "nobody"}, "model_not_found", "model"),
        (template("nothing"), "prompt_not_found", "prompt"),
        (template("answer", "v9", question="?"), "prompt_not_found", "prompt"),
        (template("../../etc/passwd"), "prompt_not_found", "prompt"),
        ({"retrieve": Retrieval("nowhere")}, "collection_not_found", "gateway.retrieve.collection"),
    ],
)
def test_what_is_not_there_is_named(core: Assembled, changes: dict[str, Any], code: str, param: str) -> None:
    error = core.ask(**changes).error
    assert isinstance(error, NotFound)
    assert (error.code, error.param) == (code, param)


def scoped(**scopes: Any) -> Caller:
    return replace(caller(), scopes=Scopes(**scopes))


ANSWER = template("answer", question="?")  # retrieves from the collection `docs`
MODELS, PROMPTS, COLLECTIONS = scoped(models=("ot*",)), scoped(prompts=("ans*",)), scoped(collections=("handbook",))


@pytest.mark.parametrize(
    ("who", "changes", "param", "may"),
    [
        (MODELS, {"model": "small"}, "model", "may use ot*"),
        (MODELS, {"model": "nobody"}, "model", "may use ot*"),  # and is not told that there is none
        (MODELS, {"model": "auto"}, "model", "may use ot*"),
        (MODELS, ANSWER, "model", "may use ot*"),
        (PROMPTS, template("classify-ticket", ticket="?"), "prompt", "may use ans*"),
        (PROMPTS, template("nothing"), "prompt", "may use ans*"),
        (PROMPTS, {}, "prompt", "must name a prompt; it may use ans*"),
        (COLLECTIONS, ANSWER, "gateway.retrieve.collection", "may use handbook"),
        (COLLECTIONS, {"retrieve": Retrieval("docs")}, "gateway.retrieve.collection", "may use handbook"),
        (COLLECTIONS, {"retrieve": Retrieval("nowhere")}, "gateway.retrieve.collection", "may use handbook"),
        (scoped(models=()), {"model": "small"}, "model", "may use none"),
    ],
)
def test_what_the_key_may_not_use_is_refused_before_it_is_looked_up(
    core: Assembled, who: Caller, changes: dict[str, Any], param: str, may: str
) -> None:
    outcome = core.ask(who=who, **changes)
    assert isinstance(outcome.error, NotAllowed)
    assert outcome.error.param == param
    assert may in outcome.error.message
    assert core.row(outcome.call)["error"] == "not_allowed"


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        (MODELS, {"model": "other"}),
        (PROMPTS, ANSWER),
        (PROMPTS, ANSWER | {"messages": ({"role": "user", "content": "And then?"},)}),
        (COLLECTIONS, {}),
        (scoped(collections=("docs",)), ANSWER),
    ],
)
def test_what_the_key_may_use_is_built(core: Assembled, who: Caller, changes: dict[str, Any]) -> None:
    assert built(core, call(who=who, **changes)).messages


def test_a_bad_variable_is_named(core: Assembled) -> None:
    error = core.ask(**template("advise", question="Why?", audience="cats")).error
    assert isinstance(error, InvalidValue)
    assert error.param == "prompt.variables.audience"
    missing = core.ask(**template("advise", audience="children")).error
    assert isinstance(missing, InvalidValue)
    assert missing.param is not None
    assert missing.param.startswith("prompt.variables")


def test_a_model_whose_backends_have_not_answered_is_unavailable_not_unknown(make: Make) -> None:
    gateway = make(
        backends={"gone": {"url": "http://127.0.0.1:9"}},
        models={"small": {"backends": ["gone"]}},
    )
    error = gateway.ask().error
    assert isinstance(error, Unavailable)
    assert "/health/ready" in str(error)
    assert any(line.startswith("model 'small': backend 'gone'") for line in gateway.runtime.faults())


@pytest.mark.parametrize(("model", "alias"), [("other", "other"), ("auto", "small"), (None, "small")])
def test_the_model_is_the_requests_else_the_default(core: Assembled, model: str | None, alias: str) -> None:
    assert built(core, call(model=model)).model == alias


def test_the_requests_model_wins_over_the_templates(core: Assembled) -> None:
    asked = call(**template("advise", question="Why?", audience="children") | {"model": "other"})
    assert built(core, asked).model == "other"


def test_the_templates_fields_lie_below_the_requests(core: Assembled) -> None:
    asked = template("advise", question="Why?", audience="children")
    assert built(core, call(**asked)).fields == {"temperature": 0, "max_tokens": 32}
    mine = built(core, call(**asked, fields={"max_tokens": 5, "seed": 7})).fields
    assert mine == {"temperature": 0, "max_tokens": 5, "seed": 7}


def test_the_apps_messages_follow_the_templates(core: Assembled) -> None:
    turn = {"role": "user", "content": "And then?"}
    asked = call(**template("advise", question="Why?", audience="children"), messages=(turn,))
    roles = [(m["role"], m["content"].strip()) for m in built(core, asked).messages]
    assert roles == [("system", "You explain things to children."), ("user", "Why?"), ("user", "And then?")]


def test_user_text_never_becomes_template_text(core: Assembled) -> None:
    asked = call(**template("advise", question="{{ audience }} {% raw %}", audience="children"))
    assert built(core, asked).messages[-1]["content"].strip() == "{{ audience }} {% raw %}"


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        ({}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, {"type": "object"}),
        ({"response_format": JSON_SCHEMA}, SCHEMA),
        ({"structured_outputs": {"json": SCHEMA}}, SCHEMA),
    ],
)
def test_the_schema_is_found_wherever_the_request_has_it(
    core: Assembled, fields: dict[str, Any], schema: dict[str, Any] | None
) -> None:
    assert built(core, call(fields=fields)).format.schema == schema


def test_a_templates_output_schema_becomes_the_response_format(core: Assembled) -> None:
    prompt = built(core, call(**template("classify-ticket", ticket="It is down.")))
    assert prompt.format.schema is not None
    assert prompt.fields["response_format"]["json_schema"]["name"] == "classify-ticket"
    assert prompt.fields["response_format"]["json_schema"]["schema"] == prompt.format.schema


def test_a_schema_that_cannot_be_checked_is_refused_before_anything_is_spent(core: Assembled) -> None:
    bad = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "integr"}}}
    outcome = core.ask(fields={"response_format": bad})
    assert isinstance(outcome.error, InvalidValue)
    assert outcome.error.param == "response_format"
    assert core.stages(outcome.call) == ["build"]


def test_several_choices_cannot_be_continued(core: Assembled) -> None:
    error = core.ask(fields={"n": 2}, on_length="continue").error
    assert isinstance(error, InvalidValue)
    assert error.param == "gateway.on_length"


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, "exact"),
        ({"semantic": True}, "semantic"),
        ({"fields": {"temperature": 0.7}}, "off"),
        ({"fields": {"temperature": 0.7}, "cache": "use"}, "exact"),
        ({"fields": {"n": 2}}, "off"),
        ({"fields": {"tools": TOOLS}}, "off"),
        ({"fields": {"logprobs": True}}, "off"),
        (template("answer", question="?"), "semantic"),
        (template("classify-ticket", ticket="?"), "exact"),
    ],
)
def test_the_cache_tier_is_the_templates_else_by_what_is_asked(
    core: Assembled, changes: dict[str, Any], tier: str
) -> None:
    assert built(core, call(**changes)).cache == tier


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        (({"role": "user", "content": "Why?"},), "Why?"),
        (({"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}), None),
        (({"role": "user", "content": [{"type": "text", "text": "Why?"}]},), None),
        (({"role": "user", "content": "  "},), None),
        ((), None),
    ],
)
def test_the_question_is_the_last_plain_user_turn(
    core: Assembled, messages: tuple[dict[str, Any], ...], question: str | None
) -> None:
    assert built(core, call(messages=messages)).question == question


def test_a_prompt_says_where_it_came_from(core: Assembled) -> None:
    template_of_it = core.runtime.library.get("answer")
    source = built(core, call(**template("answer", question="?"))).source
    assert source == {"id": "answer", "version": template_of_it.version, "digest": template_of_it.digest}
    assert built(core, call()).source is None
