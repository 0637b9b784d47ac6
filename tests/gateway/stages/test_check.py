"""Which answers may be trusted: why they stopped, and whether their JSON is what was asked for."""

import pytest

from gateway.errors import OutputInvalid, OutputTruncated
from gateway.exchange import Retrieval
from tests.fakes.backend import Script, said
from tests.gateway.assembled import Assembled
from tests.gateway.calls import caller, template

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "string"}}},
    "required": ["a"],
    "additionalProperties": False,
}
FIELDS = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}
REFUSED = {"invalid": ("error",)}
TICKET = '{"category": "bug", "severity": "low", "summary": "It fails."}'


def test_a_valid_answer_says_so(core: Assembled) -> None:
    core.fake.plan(Script(said('{"a": ', "1}")))
    outcome = core.ask(fields=FIELDS)
    assert outcome.text == '{"a": 1}'
    assert outcome.closed.gateway["checks"]["schema"] == "valid"
    assert core.ask().closed.gateway["checks"]["schema"] == "none"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1.5}', ["/a", "integer"]),
        ('{"a": "secret"}', ["/a", "integer"]),
        ('{"b": []}', ["required"]),
        ('{"a": 1, "b": ["x", 2]}', ["/b/1", "string"]),
        ('{"a": 1, "c": "secret"}', ["dditional"]),
        ("secret", ["no JSON", "line 1"]),
        ("", ["no JSON"]),
        ('{"a": 1}{"a": 2}', ["no JSON"]),
        ('{"a": 1', ["no JSON"]),
    ],
)
def test_an_invalid_answer_is_refused_by_its_paths_and_without_its_text(
    core: Assembled, text: str, words: list[str]
) -> None:
    core.fake.plan(Script(said(text)))
    outcome = core.ask(fields=FIELDS, on_stop=REFUSED)
    assert isinstance(outcome.error, OutputInvalid)
    assert all(word in str(outcome.error) for word in words), outcome.error
    assert "secret" not in str(outcome.error)
    core.assert_settled(outcome.call)


def test_half_an_object_is_never_an_answer(core: Assembled) -> None:
    """A structured answer's policy is `error`, and the cut is what is told, not the JSON that it broke."""
    core.fake.plan(Script(said('{"a": ', "1", finish="length")))
    outcome = core.ask(fields=FIELDS)
    assert isinstance(outcome.error, OutputTruncated)
    core.assert_settled(outcome.call)


def test_a_templates_answer_is_held_to_its_output_schema(core: Assembled) -> None:
    core.fake.plan(Script(said(TICKET)), Script(said(TICKET.replace("bug", "other thing"))))
    assert core.ask(**template("classify-ticket", ticket="One.")).text == TICKET
    error = core.ask(**template("classify-ticket", ticket="Two."), on_stop=REFUSED).error
    assert isinstance(error, OutputInvalid)
    assert "/category" in str(error)


def test_sentences_without_support_are_told_by_their_places_and_refuse_nothing(core: Assembled) -> None:
    held, wrong = "The KV cache keeps the keys and values of earlier tokens [1].", "Penguins eat fish and squid [1]."
    core.fake.plan(Script(said(held, " ", wrong)))
    outcome = core.ask(**template("answer", question="What does the KV cache do?"), retrieve=Retrieval("docs", 2))
    text = f"{held} {wrong}"
    assert outcome.text == text
    assert outcome.closed.gateway["checks"]["unsupported"] == [[text.index(wrong), len(text)]]
    (check,) = (stage for stage in core.row(outcome.call)["detail"]["stages"] if stage["stage"] == "check")
    assert check["facts"]["unsupported"] == 1
    assert "Penguins" not in str(core.row(outcome.call))


def test_a_cached_answer_keeps_what_was_said_of_its_support(core: Assembled) -> None:
    who, asked = caller(), template("answer", question="What is kept in the KV cache?")
    core.fake.plan(Script(said("Penguins eat fish and squid [1].")))
    made, found = core.ask(**asked, who=who), core.ask(**asked, who=who)
    assert found.cache["verdict"] == "exact"
    assert found.closed.gateway["checks"] == made.closed.gateway["checks"]
    assert found.closed.gateway["retrieve"] == {
        name: made.closed.gateway["retrieve"][name] for name in ("collection", "version")
    }


def test_where_nothing_was_searched_nothing_is_compared(core: Assembled) -> None:
    core.fake.plan(Script(said("Penguins eat fish and squid.")))
    assert core.ask().closed.gateway["checks"]["unsupported"] == []
