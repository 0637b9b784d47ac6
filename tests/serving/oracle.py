"""Run by the engine's Python: what vLLM itself makes of requests and chat templates, as JSON on standard output.

Reads {"model_dir", "templates": {name: source}, "requests": {name: request}} from standard input and writes
{"templates": {name of template: {"format": ..., "prompts": {name of request: text, or null where vLLM refuses}}},
"fields": {path of an endpoint: every field that its request models have}}.
"""

import json
import sys
from types import SimpleNamespace
from typing import Any, get_args


def main() -> None:
    from transformers import AutoTokenizer
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.exceptions import VLLMValidationError
    from vllm.renderers.chat_utils import parse_chat_messages
    from vllm.renderers.hf import _detect_content_format, safe_apply_chat_template

    asked = json.load(sys.stdin)
    tokenizer = AutoTokenizer.from_pretrained(asked["model_dir"])
    config = SimpleNamespace(multimodal_config=None, enable_prompt_embeds=False, is_multimodal_model=False)

    def prompt(template: str, form: Any, request: dict[str, Any]) -> str | None:
        try:
            parsed = ChatCompletionRequest.model_validate({"model": "m", **request})
            conversation, _, _ = parse_chat_messages(parsed.messages, config, form)
            options = parsed.build_chat_params(template, form).get_apply_chat_template_kwargs()
            tools = [tool.model_dump() for tool in parsed.tools] if parsed.tools is not None else None
            text = safe_apply_chat_template(config, tokenizer, conversation, tools=tools, tokenize=False, **options)
            return str(text)
        except (ValueError, VLLMValidationError):
            return None

    templates = {}
    for name, template in asked["templates"].items():
        form = _detect_content_format(template, default="string")
        prompts = {title: prompt(template, form, request) for title, request in asked["requests"].items()}
        templates[name] = {"format": form, "prompts": prompts}
    json.dump({"templates": templates, "fields": fields()}, sys.stdout)


def fields() -> dict[str, list[str]]:
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest
    from vllm.entrypoints.pooling.embed.protocol import EmbeddingRequest

    embeddings = get_args(get_args(EmbeddingRequest)[0])  # a union of models, inside Annotated
    return {
        "/v1/chat/completions": list(ChatCompletionRequest.model_fields),
        "/v1/completions": list(CompletionRequest.model_fields),
        "/v1/embeddings": sorted({name for model in embeddings for name in model.model_fields}),
    }


if __name__ == "__main__":
    main()
