"""One self-hosted engine (vLLM): its stream of events, its tokens, its start-up. Knows no tenant and no budget."""
