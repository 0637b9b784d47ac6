"""OpenAI's own package, 2.x and 3.x: all its cases in one process, for its import takes longer than they do."""

from tests.conformance.clients import openai_chat, openai_engine, openai_errors
from tests.conformance.clients.report import report

DECLARED = (openai_chat, openai_errors, openai_engine)  # cases are declared by the import

if __name__ == "__main__":
    report()
