"""A scripted backend that counts prompts as the engine does on the bundled model.

A gateway that has the model's files then finds that it agrees with its backend, and counts by itself, as most do:
otherwise each request would first ask the backend, and ten thousand at once would prove little but that.
"""

import json
from pathlib import Path

from serving.conversation import PromptRefused
from serving.tokens import LocalTokens
from tests.fakes.backend import JSON, FakeBackend, Script, Seen

MODEL_DIR = Path(__file__).parents[2] / "serving" / "tiny" / "model"
ASKED = [{"role": "user", "content": "Hi."}]  # of as many tokens as every script says that it read: PROMPT_TOKENS

_TOKENS = LocalTokens.load(MODEL_DIR)


class CountingBackend(FakeBackend):
    def __init__(self) -> None:
        super().__init__()
        self.answers["/tokenize"] = _tokenize


async def _tokenize(seen: Seen) -> Script:
    try:
        counted = await _TOKENS.count(seen.body)
    except PromptRefused:
        return Script((b'{"error": {"message": "refused"}}',), 400, JSON)
    return Script((json.dumps({"count": counted.tokens}).encode(),), headers=JSON)
