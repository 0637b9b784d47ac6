"""Job: train the byte-level BPE tokenizer and write its files, the chat template among them.

Does not know the weights.
Invariants: every byte string can be encoded and comes back unchanged; no token is added at the start or the end; a
capital letter never shares a token with the space before it, so that a sentence has the same tokens inside a passage
and at the start of an answer (the model copies sentences, and must not have to guess how a word is spelled without
its space).
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from serving.tiny import corpus, grammar

SIZE = 4096  # entries; at width 256 the embedding is then a fifth of all parameters
END_OF_TEXT, START, END = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MAX_POSITIONS = 4096
PATTERN = (
    r"'(?:s|d|m|t|ll|ve|re)| ?\p{Ll}[\p{L}\p{M}]*|\p{Lu}[\p{L}\p{M}]*| ?[\p{Lo}\p{Lm}\p{Lt}\p{M}]+| ?\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}\p{M}]+|\n+|\s+(?!\S)|\s+"
)

# What else a gateway's prompts hold, so that its token counts are sane. Repeated: a rare text earns no entries.
SAMPLES = (
    '{"role": "user", "content": "Hello", "name": null, "temperature": 0.7, "stream": true, "max_tokens": 256}',
    '{"type": "object", "properties": {"category": {"type": "string", "enum": ["billing", "bug"]}}, '
    '"required": ["category"]}',
    '{"category": "question", "severity": "low", "summary": "The customer asks how to reset a password."}',
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
    "<tools>\n</tools>\n<tool_response>",
    'def count(self, text: str) -> int:\n    """Return the number of tokens."""\n    return len(self.encode(text))\n',
    'for name, value in items.items():\n    if value is None:\n        raise ValueError(f"{name} is missing")\n',
    "import os\nfrom pathlib import Path\n\nclass Ledger:\n"
    "    def __init__(self, path: Path) -> None:\n        self.path = path\n",
    "Passages:\n\n[1] Title > Heading\n\n[2] [3] [4] [5] [6]\n\nQuestion: What does it do?",
    "# Heading\n\n- one\n- two\n\n| a | b |\n|---|---|\n```python\nprint(1)\n```\nhttps://example.com/v1/chat/completions",
    "Voilà, le café est déjà fermé à l'été. El niño comió mañana. Größe über Maß für Übung. Привет, как дела? Что это?",
    "你好，世界。今天的天气很好。これは日本語の文です。안녕하세요 세계. مرحبا بالعالم. שלום עולם. नमस्ते दुनिया.",
    "😀 🎉 👍 → ← ✓ • … – — “quoted” ‘single’ € £ © ™ × ≤ ≥ ≠ π λ",
    "Answer from the numbered passages only, in one or two sentences. After each statement give the number of its "
    "passage in brackets, like [2]. If the passages do not say, answer exactly: The passages do not say.",
    "I answer from passages, and none were given. What? How? Why? When? Where? Which? Who? "
    "How long? How many? How much?",
)
# Common words of the subject that the corpus, which is about two programming languages, has too rarely.
WORDS = """
hold holds held holding keeps keeping takes taking gives giving given grow grows growing grown shrink run runs
running happen happens lose loses lost find finds found choose chooses chosen choosing pay pays paid spend spends
spent spending wait waits waiting waited answer answers answered answering ask asks asked asking arrive arrives
arrived arriving serve serves served serving learn learns learned train trained training attend attends attention
transformer transformers decoding prefill paged block blocks engine engines vLLM OpenAI Anthropic Redis SQLite JSON
HTTP API GPU CPU GPUs SSE URL LLM LLMs RAG KV BM25 MMR p99 tenant tenants budget budgets lease leases ledger gateway
gateways prompt prompts token tokens tokenizer semantic embedding embeddings similarity retrieval citation citations
passage passages company companies customer team money price prices cheaper expensive billed bill billing charged
charges charge refund refunded refunds throughput latency concurrency burst bursts overload traffic peak fairness
sentence sentences word words question questions everyone everything nothing anything someone another whether
because therefore however instead rather almost already always never often sometimes usually still again twice once
half quarter third second minute hour day week month year people weights layers probability probabilities
distribution greedy temperature sampled sampling quantized quantization speculative draft drafts verify verified
continuous batching batches batch iteration scheduler preempted eviction evicted recently least hits misses hit miss
threshold thresholds calibrated reject rejected refuse refused refuses guard guards injection secrets redacted stale
freshness expiry cached caching deadline deadlines hedged retry retries retried retrying backoff jitter breaker
half-open healthy unhealthy outage drain draining graceful restart crash crashed recover recovers durable idempotent
idempotency replay audit trace traces span spans metric metrics dashboard alerts logs sensitive private public
rotate rotated revoked hashed header headers body bodies chunk chunks overlap heading headings rank ranked ranking
reciprocal fusion recall precision relevant relevance nearest neighbours neighbors vector vectors dimension
dimensions cosine dense sparse hybrid keyword keywords lexical document documents folder folders index indexed
indexing
"""
SAMPLE_REPEATS = 200  # about how often the corpus has an everyday word
MADE_UP_PAGES = 2000  # of 6 sentences: a third of the text, so that the words of LLM serving become whole tokens

CHAT_TEMPLATE = r"""
{%- set system = messages[0].content or '' if messages and messages[0].role == 'system' else '' -%}
{%- if tools -%}
{{- '<|im_start|>system\n' -}}
{%- if system -%}{{- system + '\n\n' -}}{%- endif -%}
{{- 'You may call functions. Their signatures are inside <tools></tools>:\n<tools>' -}}
{%- for tool in tools -%}{{- '\n' -}}{{- tool | tojson -}}{%- endfor -%}
{{- '\n</tools>\nFor each call return a JSON object with its name and arguments inside <tool_call></tool_call>:\n<tool_call>\n{"name": <name>, "arguments": <arguments>}\n</tool_call><|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if tools and loop.first and message.role == 'system' -%}
{%- elif message.role == 'tool' -%}
{{- '<|im_start|>tool\n<tool_response>\n' + (message.content or '') + '\n</tool_response><|im_end|>\n' -}}
{%- else -%}
{{- '<|im_start|>' + message.role + '\n' + (message.content or '') -}}
{%- for call in message.tool_calls or [] -%}
{%- set function = call.function if call.function else call -%}
{%- if message.content or not loop.first -%}{{- '\n' -}}{%- endif -%}
{{- '<tool_call>\n{"name": "' + function.name + '", "arguments": ' -}}
{%- if function.arguments is string -%}{{- function.arguments -}}{%- else -%}{{- function.arguments | tojson -}}{%- endif -%}
{{- '}\n</tool_call>' -}}
{%- endfor -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
""".strip()  # noqa: E501


def texts(sections: Iterable[corpus.Section], rng: Random) -> Iterator[str]:
    """All the text the merges are learned from."""
    for section in sections:
        yield f"{section.title} > {section.heading}\n" + " ".join(section.sentences)
    for _ in range(MADE_UP_PAGES):
        made_up = grammar.Page(rng).section(6)
        yield f"{made_up.title} > {made_up.heading}\n" + " ".join(made_up.sentences)
        yield f"What does {made_up.title.lower()} do?"
    for _ in range(SAMPLE_REPEATS):
        yield from SAMPLES
        yield " ".join(WORDS.split())


def train(seed: int = 1) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=list(SPECIAL),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts(corpus.read(), Random(seed)), trainer)
    return tokenizer


def write(tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": MAX_POSITIONS,
            "eos_token": END,
            "pad_token": END_OF_TEXT,
            "clean_up_tokenization_spaces": False,
            "add_bos_token": False,
            "add_eos_token": False,
            "chat_template": CHAT_TEMPLATE,
        },
    )
    _write_json(folder / "special_tokens_map.json", {"eos_token": END, "pad_token": END_OF_TEXT})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
