"""What a client program is told and what it says: its access in the environment, its cases as JSON on standard output.

A program declares cases, functions whose value is JSON, and ends with `report()`. It runs in the environment of the
packages under test, so nothing of the gateway is imported here.
"""

import json
import os
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

ACCESS = json.loads(os.environ["TOLLGATE_ACCESS"])  # {"url", "who", "keys": {name: key}}
BASE_URL: str = f"{ACCESS['url']}/v1"
KEYS: dict[str, str] = ACCESS["keys"]
KEY = KEYS["plain"]
AT_ONCE = 8  # cases: most of a case is waiting

Case = Callable[[], Any]
_cases: dict[str, Case] = {}


def case(function: Case) -> Case:
    """Declare a case under the function's name."""
    _cases[function.__name__] = function
    return function


def declare(name: str, asking: Case) -> None:
    """Declare one of many cases that are alike."""
    _cases[name] = asking


def ask(script: str, case: str = "") -> list[Any]:
    """The messages that make the scripted backend play `script`; `case` tells who asked, where that is counted."""
    return [{"role": "user", "content": " ".join(filter(None, (script, ACCESS["who"], case)))}]


LONG = " ".join(map(str, range(6000)))  # more tokens than a window has here

# How a chat is refused, whatever package asks: by which key, and with what beside the script `hello`.
REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "bad_request": ("plain", {"extra_body": {"temperature": 7}}),
    "unauthenticated": ("wrong", {}),
    "not_allowed": ("narrow", {}),
    "not_found": ("plain", {"model": "absent"}),
    "body_too_large": ("plain", {"messages": ask("x" * 1100 * 1024)}),
    "backend_down": ("plain", {"messages": ask("down")}),
}


def declare_refusals(asking: Callable[..., Any], refusals: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Declare a case for each: the exception of `asking` with the key and the fields."""
    for name, (key, fields) in refusals.items():
        declare(name, partial(raised, partial(asking, KEYS[key], **fields)))


def one_too_many(asking: Callable[[], Any]) -> dict[str, Any]:
    """Of three requests a limit of one admits one, or two where its window ends in between."""
    return raised(lambda: [asking() for _ in range(3)])


def raised(asking: Callable[[], Any]) -> dict[str, Any]:
    """The exception that `asking` ends with: its class, and of OpenAI's attributes those that it has."""
    try:
        value = asking()
    except Exception as error:
        said = {name: getattr(error, name, None) for name in ("status_code", "type", "code", "param", "request_id")}
        return said | {"class": type(error).__name__, "message": str(error)}
    raise AssertionError(f"nothing was raised, the value is {value!r}")


def report(at_once: int = AT_ONCE) -> None:
    """Run every case and print, on the last line, what each gave: {"value": ...}, or {"failed": traceback}."""
    with ThreadPoolExecutor(at_once) as pool:
        outcomes = dict(zip(_cases, pool.map(_outcome, _cases.values()), strict=True))
    print(f"\n{json.dumps(outcomes)}")


def _outcome(function: Case) -> dict[str, Any]:
    try:
        value = function()
        json.dumps(value)
    except BaseException:  # one case must not take the others with it
        return {"failed": traceback.format_exc()}
    return {"value": value}
