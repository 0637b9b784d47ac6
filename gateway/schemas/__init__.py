"""What answers must be: schemas within limits, compiled; answers checked whole, repaired, and followed as they come.

    keywords -> shape, limits    of a schema: how much work it can be, what is too much
    validators -> worker         one schema, compiled: here, or in a process that can be ended (workers)
    compiled -> checked          schemas kept and texts judged; answers checked
    repair                       what stands around JSON is taken away
    lasting -> progress          an answer that can no longer become valid

The names below are loaded when they are asked for: the process that judges loads none of what a gateway does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.schemas.checked import Checked, Schemas
    from gateway.schemas.progress import Progress

__all__ = ["Checked", "Progress", "Schemas"]

_MODULES = {"Checked": "checked", "Progress": "progress", "Schemas": "checked"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"gateway.schemas.{_MODULES[name]}"), name)
