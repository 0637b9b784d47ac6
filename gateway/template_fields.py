"""The request fields that a template sets: sampling, tools, and its output schema as OpenAI's response_format."""

from typing import Any

from prompts.template import Template


def fields_of(template: Template) -> dict[str, Any]:
    """What lies below a request's own fields."""
    fields: dict[str, Any] = dict(template.front.sampling)
    if template.tools:
        fields["tools"] = [dict(tool) for tool in template.tools]
    if template.front.output_schema:
        named = {"name": template.id.replace("/", "-"), "schema": template.front.output_schema, "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": named}
    return fields
