"""A template with examples of three kinds of tickets, in a repository of a test."""

from prompts.template import Template, parse

PAIRS = [
    ("I was charged twice this month.", "billing"),
    ("I cannot log in with my password.", "login"),
    ("Where is my parcel?", "shipping"),
    ("My invoice shows the wrong amount.", "billing"),
    ("My account is locked.", "login"),
    ("The package arrived broken.", "shipping"),
    ("Can I have a refund?", "billing"),
    ("The password reset mail never comes.", "login"),
]
EXAMPLES = "".join(f'- variables: {{ticket: "{ticket}"}}\n  answer: {{kind: {label}}}\n' for ticket, label in PAIRS)
SOURCE = """---
description: Which kind of ticket it is.
model: small
variables:
  ticket: {{type: string}}
question: ticket
examples: kinds.examples.yaml
{more}
---
{{% message role="system" %}}Name the kind.{{% endmessage %}}
{{% message role="user" %}}{{{{ ticket }}}}{{% endmessage %}}
"""


def kinds(more: str = "", examples: str = EXAMPLES) -> Template:
    """PAIRS are its examples, in their order."""
    files = {"templates/kinds.examples.yaml": examples.encode()}
    return parse("kinds", "templates/kinds.md.j2", SOURCE.format(more=more).encode(), read=files.get)
