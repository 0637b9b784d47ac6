"""OpenAI's own package, 2.x and 3.x: all its cases in one process, for its import takes longer than they do."""

from tests.conformance.clients import (
    openai_chat,
    openai_completions,
    openai_engine,
    openai_errors,
    openai_responses,
)
from tests.conformance.clients.report import report

DECLARED = (openai_chat, openai_errors, openai_engine, openai_completions, openai_responses)  # by their import

if __name__ == "__main__":
    report()
