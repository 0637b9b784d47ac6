"""The peers as they are compared: LiteLLM's proxy, Portkey's gateway, the routers of vLLM and SGLang.

They run as their documentation says for production, with one process or worker, and do what they do out of the box:
LiteLLM checks its master key and keeps no database; the routers and Portkey check no key.
"""

import secrets
from pathlib import Path

from benchmarks.peers.recipe import Place, Recipe, bearer

HERE = Path(__file__).parent


def litellm(place: Place) -> Recipe:
    key = f"sk-{secrets.token_hex(24)}"  # it refuses a weak one
    command = (place.peers / "litellm/bin/litellm", "--config", HERE / "litellm.yaml", "--host", "127.0.0.1")
    extra = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_MASTER_KEY": key,
        "STUB_URL": f"http://127.0.0.1:{place.backend}/v1",
    }
    start = place.run("litellm", (*command, "--port", "{port}", "--num_workers", 1), extra)
    return Recipe("litellm", start, bearer(key), rate=10, streams=2)  # 50 a second saturate it


def portkey(place: Place) -> Recipe:
    server = place.peers / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    command = ("node", "--import", HERE / "portkey-shim.mjs", server, "--port={port}", "--headless")
    start = place.run("portkey", command, {"NODE_ENV": "production"})
    to = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{place.backend}/v1"}
    return Recipe("portkey", start, bearer("sk-upstream") | to)


def vllm_router(place: Place) -> Recipe:
    command = (place.peers / "vllm-router/bin/vllm-router", *_router(place), "--log-level", "warning")
    return Recipe("vllm-router", place.run("vllm-router", command, {}), bearer("sk-upstream"))


def sglang_router(place: Place) -> Recipe:
    command = (place.peers / "sglang-router/bin/python", "-m", "sglang_router.launch_router", *_router(place))
    start = place.run("sglang-router", (*command, "--log-level", "warn"), {})
    return Recipe("sglang-router", start, bearer("sk-upstream"))


PEERS = {"vllm-router": vllm_router, "sglang-router": sglang_router, "portkey": portkey, "litellm": litellm}


def _router(place: Place) -> tuple[object, ...]:
    to = ("--worker-urls", f"http://127.0.0.1:{place.backend}", "--policy", "round_robin")
    looks = ("--worker-startup-check-interval", 1, "--prometheus-port", "{other}")
    return ("--host", "127.0.0.1", "--port", "{port}", *to, *looks)
