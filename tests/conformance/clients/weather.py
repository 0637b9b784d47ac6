"""What the clients ask for: a value to be parsed, and a function to be called, as JSON Schema has it."""

from typing import Any

from pydantic import BaseModel


class Weather(BaseModel):
    """What the weather is."""

    city: str
    degrees: int


PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = {"name": "weather", "description": "The weather of a city.", "parameters": PARAMETERS}
TOOL: Any = {"type": "function", "function": FUNCTION}  # of a chat
