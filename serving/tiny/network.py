"""Job: the Llama computation, written out for training, and the model's files.

Does not know what the tokens mean.
Invariants: the names of the parameters are those of Hugging Face's LlamaForCausalLM, so that the files load anywhere;
the exported weights are bf16 and tied (no `lm_head.weight`).
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """The sizes that make the model what it is; `parameters` is about 5 million."""

    vocab_size: int = 4096
    hidden_size: int = 256
    intermediate_size: int = 512
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    head_dim: int = 32
    max_position_embeddings: int = 4096
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # (queries, keys, values), each [batch, heads, length, size]


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Norm(nn.Module):
    """Root-mean-square norm, computed in float32 as engines do."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight.float()).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.size, width = shape.num_attention_heads, shape.head_dim, shape.hidden_size
        self.q_proj = nn.Linear(width, self.heads * self.size, bias=False)
        self.k_proj = nn.Linear(width, self.heads * self.size, bias=False)
        self.v_proj = nn.Linear(width, self.heads * self.size, bias=False)
        self.o_proj = nn.Linear(self.heads * self.size, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = (
            p(x).view(batch, length, self.heads, self.size).transpose(1, 2)
            for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = attend(rotated(q, cos, sin), rotated(k, cos, sin), v)
        projected: Tensor = self.o_proj(out.transpose(1, 2).reshape(batch, length, -1).to(x.dtype))
        return projected


class FeedForward(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = Norm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = Norm(shape.hidden_size, shape.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, attend)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Llama(nn.Module):
    """`forward` returns hidden states; `logits` turns chosen ones into scores (in training most need none)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = Norm(shape.hidden_size, shape.rms_norm_eps)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(
        self,
        ids: Tensor,
        positions: Tensor,
        attend: Attend = causal,
        kind: torch.dtype = torch.float32,
        states: list[Tensor] | None = None,
    ) -> Tensor:
        """`kind`: what the activations are kept in between the layers; bf16 in training, as in the engine.

        `states` gathers every layer's output.
        """
        cos, sin = (t.to(kind) for t in self.rotation(positions))
        x = self.embed_tokens(ids).to(kind)
        for layer in self.layers:
            x = layer(x, cos, sin, attend)
            if states is not None:
                states.append(x)
        out: Tensor = self.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embed_tokens.weight)

    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        half = self.shape.head_dim // 2
        rates = self.shape.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
        angles = positions[:, None, :, None].float() * rates
        return angles.cos(), angles.sin()


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x.dtype)


def export(model: Llama, folder: Path, end_ids: tuple[int, ...]) -> None:
    """Write config.json, generation_config.json and model.safetensors. `end_ids`: the end of a turn first."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"model.{name}": value.detach().to(torch.bfloat16).contiguous() for name, value in model.named_parameters()
    }
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    shape = asdict(model.shape)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **shape,
        "num_key_value_heads": shape["num_attention_heads"],
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": end_ids[0],
        "pad_token_id": end_ids[1],
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "initializer_range": 0.02,
        "rope_scaling": None,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    generation = {"eos_token_id": list(end_ids), "pad_token_id": end_ids[1], "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")
