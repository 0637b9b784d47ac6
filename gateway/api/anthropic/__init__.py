"""Anthropic's Messages API around the same pipeline: how its requests are read, and how its answers are written.

`messages.py` says what becomes of a conversation, `writing.py` what becomes of an answer.
"""

from gateway.api.anthropic.count import count_tokens
from gateway.api.anthropic.failure import refusal
from gateway.api.anthropic.reading import read_messages
from gateway.api.endpoint import Endpoint
from gateway.api.inference import generation

MESSAGES = generation(read_messages, refusal)
COUNT_TOKENS = Endpoint(count_tokens, refusal)
