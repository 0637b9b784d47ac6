"""What a client program is told and what it says: its access in the environment, its cases as JSON on standard output.

A program declares cases, functions whose value is JSON, and ends with `report()`. It runs in the environment of the
packages under test, so nothing of the gateway is imported here.
"""

import json
import os
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
