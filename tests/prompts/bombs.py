"""Bodies and values that would take long or much memory if nobody counted: `BOMBS`, each (name, body, variables).

`python -m tests.prompts.bombs NAME...` runs some as a proof wants it, in a process of its own, and tells what each took
as JSON.
"""

import json
import resource
import sys
from pathlib import Path
from time import process_time
from typing import Any

from prompts.errors import LibraryError, RenderError
from prompts.sandbox import Program

MIB = 1 << 20
LONG = "a" * MIB
WIDE = "é1 " * (MIB // 8)
DIGITS = "9" * (MIB // 2)
MANY = ["ab"] * 100_000
CHAIN = 40  # macros, each calling the next with twice as much: 2 to the 40th


def user(body: str) -> str:
    return '{% message role="user" %}' + body + "{% endmessage %}"


def chain(step: str, end: str, start: str) -> str:
    """Macros m0 to m40: each calls the one before with `step` of its argument."""
    last = f"{{% macro m0(x) %}}{end}{{% endmacro %}}"
    calls = (f"{{% macro m{n}(x) %}}{{{{ m{n - 1}({step}) }}}}{{% endmacro %}}" for n in range(1, CHAIN))
    return last + "".join(calls) + user(f"{{{{ m{CHAIN - 1}({start}) }}}}")


TWICE = "{% macro m0() %}{% endmacro %}" + "".join(
    f"{{% macro m{n}() %}}{{{{ m{n - 1}() }}}}{{{{ m{n - 1}() }}}}{{% endmacro %}}" for n in range(1, CHAIN)
)

BOMBS: list[tuple[str, str, dict[str, Any]]] = [
    ("odd-format", user("{% if q is odd %}x{% endif %}"), {"q": "%1000000000d"}),
    ("even-format", user("{% if q is even %}x{% endif %}"), {"q": "%1000000000d"}),
    ("divisible-format", user("{% if q is divisibleby(3) %}x{% endif %}"), {"q": "%1000000000d"}),
    ("doubled-text", chain("x ~ x", "{{ x|length }}", "q"), {"q": "ab"}),
    ("doubled-sum", chain("x + x", "{{ x|length }}", "q"), {"q": "ab"}),
    ("doubled-list", chain("x + x", "{{ x|length }}", "q"), {"q": [1, 2]}),
    ("doubled-join", chain("[x, x]|join", "{{ x|length }}", "q"), {"q": "ab"}),
    ("nested-pairs", chain("[x, x]", "{{ x|tojson }}", "q"), {"q": 1}),
    ("nested-tuples", chain("(x, x)", "{{ x == x }}", "q"), {"q": 1}),
    ("calls", TWICE + user(f"{{{{ m{CHAIN - 1}() }}}}"), {}),
    ("huge-number", user("{{ q|int(0, 16) // 7 }}"), {"q": "f" * MIB}),
    ("long-number", user("{{ q|int + 1 }}"), {"q": DIGITS}),
    ("trim-characters", user("{{ q|trim(r) }}"), {"q": "z" * MIB, "r": LONG + "z"}),
    ("search", user("{% for a in many if a in q %}{% endfor %}"), {"many": MANY, "q": "ba" * (MIB // 2)}),
    ("search-near", user("{% for a in many if r in q %}{% endfor %}"), {"many": MANY, "q": LONG, "r": "a" * 90 + "b"}),
    ("member", user("{% for a in many if 1 in many %}{% endfor %}"), {"many": MANY}),
    ("member-test", user("{% for a in many if 1 is in many %}{% endfor %}"), {"many": MANY}),
    ("equal", user("{% for a in many if q == r %}{% endfor %}"), {"many": MANY, "q": LONG, "r": LONG[1:] + "a"}),
    ("slices", user("{% for a in many %}{% if q[1:] %}{% endif %}{% endfor %}"), {"many": MANY, "q": LONG}),
    ("filters", user("{% for a in many %}{% if q|upper %}{% endif %}{% endfor %}"), {"many": MANY, "q": WIDE}),
    ("title", user("{{ q|title|length }}"), {"q": "a " * (MIB // 2)}),
    ("characters", user("{{ q|list|length }}"), {"q": WIDE * 2}),
    ("sorted-characters", user("{{ q|sort|length }}"), {"q": WIDE * 2}),
    ("sorted", user("{{ [q, q, q, q, q, q, q, q, q, q, q, q, q, q, q, q, q, q]|sort|length }}"), {"q": WIDE}),
    ("unique", user("{{ q|unique|list|length }}"), {"q": WIDE * 2}),
    ("json", user("{% for a in many %}{% if many|tojson %}{% endif %}{% endfor %}"), {"many": MANY}),
    ("loops", user("{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}"), {"many": MANY}),
    ("output", user("{% for a in many %}{{ q }}{% endfor %}"), {"many": MANY, "q": "x" * 1000}),
    ("joined", user("{{ many|join(q)|length }}"), {"many": MANY, "q": LONG}),
    ("repeated", user("{{ 'a' * 1000000000 }}"), {}),
    ("power", user("{{ 10 ** 10 ** 10 }}"), {}),
    ("percent", user("{{ '%1000000000d' % 1 }}"), {}),
    ("long-constant", user("{{ " + "9" * 5000 + " }}"), {}),
    ("hex-constants", user("{{ 0x" + "f" * 10_000 + " // 0x" + "f" * 5_000 + " }}"), {}),
    ("recursion", "{% macro m() %}{{ m() }}{% endmacro %}" + user("{{ m() }}"), {}),
]

PAYLOADS = (Path(__file__).parent / "escapes.txt").read_text().splitlines()
ESCAPES = [(f"template-{n}", user(payload), {"question": "q"}) for n, payload in enumerate(PAYLOADS)]
ESCAPES += [(f"data-{n}", user("{{ question }}"), {"question": payload}) for n, payload in enumerate(PAYLOADS)]


def explode(body: str, variables: dict[str, Any]) -> str:
    """How it ends: `refused` as a template, `ended` while it renders, or `rendered`."""
    try:
        program = Program("t", body)
    except LibraryError:
        return "refused"
    try:
        program.render(variables)
    except RenderError as error:
        return "out of memory" if "MemoryError" in str(error) else "ended"
    return "rendered"


def measured(body: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The end, the milliseconds of processor time, and by how many KiB the peak of this process grew."""
    explode(user("{{ q }}"), {"q": "warm"})
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
    end = explode(body, variables)
    took = (process_time() - began) * 1000
    return {"end": end, "ms": took, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before}


if __name__ == "__main__":
    limit = 1 << 30  # bytes of address space: what is not counted fails here instead of taking the machine along
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    for name, body, variables in BOMBS + ESCAPES:
        if name in sys.argv[1:]:
            print(json.dumps(measured(body, variables)))
