"""The mutation run names modules and tests that there are: a renamed one would be noticed only months later."""

from pathlib import Path

import pytest

from tools.mutate import MODULES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_and_its_tests_are_there(module: str) -> None:
    tests = [argument for argument in MODULES[module] if argument.endswith(".py")]
    assert tests
    assert all((ROOT / path).is_file() for path in (module, *tests))
