"""The request fields of a template."""

from gateway.template_fields import fields_of
from prompts.template import parse

SOURCE = """---
description: d
sampling: {temperature: 0, stop: ["END"]}
tools: [{type: function, function: {name: search}}]
output_schema: {type: object}
variables: {}
---
{% message role="user" %}x{% endmessage %}
"""


def test_sampling_tools_and_the_output_schema() -> None:
    assert fields_of(parse("support/a", "templates/support/a.md.j2", SOURCE.encode())) == {
        "temperature": 0,
        "stop": ["END"],
        "tools": [{"type": "function", "function": {"name": "search"}}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "support-a", "schema": {"type": "object"}, "strict": True},
        },
    }
