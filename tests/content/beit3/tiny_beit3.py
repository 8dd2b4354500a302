"""A BEiT-3 of a few thousand weights, its items, and the public names of its weights."""

import torch

from alignrec_geo.content.beit3.config import Beit3Config

SIZES = {
    "vocab_size": 30,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": 12,
    "patch_size": 4,
    "max_text_positions": 12,
    "visual_codes": 16,
}


def small_config(**changes: object) -> Beit3Config:
    return Beit3Config(**(SIZES | changes))


def items(n: int = 3, words: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, word ids and the attention mask; text i has i words less than the longest."""
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randn(n, 3, 12, 12, generator=generator)
    ids = torch.randint(4, 29, (n, words), generator=generator)
    return pixels, ids, (torch.arange(words) < words - torch.arange(n)[:, None]).long()


def public_shapes(
    vocab: int, dim: int, layers: int, hidden: int, patches: int, patch: int, texts: int, codes: int
) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a public checkpoint, written down from the published layout."""
    square, norm = {"weight": (dim, dim), "bias": (dim,)}, {"weight": (dim,), "bias": (dim,)}
    shapes: dict[str, tuple[int, ...]] = {
        "beit3.text_embed.weight": (vocab, dim),
        "beit3.vision_embed.mask_token": (1, 1, dim),
        "beit3.vision_embed.cls_token": (1, 1, dim),
        "beit3.vision_embed.proj.weight": (dim, 3, patch, patch),
        "beit3.vision_embed.proj.bias": (dim,),
        "beit3.encoder.embed_positions.A.weight": (3 + patches, dim),
        "beit3.encoder.embed_positions.B.weight": (texts, dim),
    }
    for expert in "AB":
        for layer in range(layers):
            stem = f"beit3.encoder.layers.{layer}"
            for proj in "qkv":
                shapes |= {f"{stem}.self_attn.{proj}_proj.{expert}.{name}": shape for name, shape in square.items()}
            shapes |= {f"{stem}.self_attn.out_proj.{expert}.{name}": shape for name, shape in square.items()}
            for part in ("self_attn.inner_attn_ln", "self_attn_layer_norm", "final_layer_norm"):
                shapes |= {f"{stem}.{part}.{expert}.{name}": shape for name, shape in norm.items()}
            shapes[f"{stem}.ffn.{expert}.fc1.weight"] = (hidden, dim)
            shapes[f"{stem}.ffn.{expert}.fc2.weight"] = (dim, hidden)
            shapes[f"{stem}.ffn.{expert}.fc2.bias"] = (dim,)
            for name in ("fc1.bias", "ffn_layernorm.weight", "ffn_layernorm.bias"):
                shapes[f"{stem}.ffn.{expert}.{name}"] = (hidden,)
        shapes |= {f"beit3.encoder.layer_norm.{expert}.{name}": shape for name, shape in norm.items()}
    heads = {"mlm_head.weight": (vocab, dim), "mlm_head.bias": (vocab,)}
    return shapes | heads | {"mim_head.weight": (codes, dim), "mim_head.bias": (codes,)}


SMALL_SHAPES = public_shapes(vocab=30, dim=24, layers=2, hidden=40, patches=9, patch=4, texts=12, codes=16)
BASE_SHAPES = public_shapes(vocab=64010, dim=768, layers=12, hidden=3072, patches=196, patch=16, texts=1024, codes=8192)


def made_up_state(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}
