import copy
import math

import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.beit3.model import Beit3Model
from alignrec_geo.errors import InputError
from tests.content.beit3.tiny_beit3 import items, small_config


@pytest.fixture(scope="module")
def model() -> Beit3Model:
    torch_model = Beit3Model(small_config(initializer_range=0.5), seed=3).eval()
    with torch.no_grad():  # norms and biases that do something
        generator = torch.Generator().manual_seed(2)
        for name, values in torch_model.named_parameters():
            if name.endswith("bias") or "norm" in name or "_ln." in name:
                values += 0.3 * torch.randn(values.shape, generator=generator)
    return torch_model


def plain_beit3(model: Beit3Model, pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The formulas for one item, token by token, from the named weights alone."""
    w = model.state_dict()
    patch = model.config.patch_size

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        scaled = (x - x.mean()) / torch.sqrt(x.var(correction=0) + 1e-5)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    tokens = [w["vision_embed.cls_token"][0, 0]]
    for top in range(0, 12, patch):
        for left in range(0, 12, patch):
            square = pixels[:, top : top + patch, left : left + patch].flatten()
            weight = w["vision_embed.proj.weight"].flatten(1)
            tokens.append(weight @ square + w["vision_embed.proj.bias"])
    tokens = [x + w["encoder.embed_positions.A.weight"][2 + i] for i, x in enumerate(tokens)]
    experts = ["A"] * len(tokens) + ["B"] * len(ids)
    tokens += [
        w["text_embed.weight"][word] + w["encoder.embed_positions.B.weight"][2 + i] for i, word in enumerate(ids)
    ]
    size = model.config.hidden_size // model.config.num_attention_heads
    for number in range(model.config.num_hidden_layers):
        stem = f"encoder.layers.{number}"
        normed = [norm(x, f"{stem}.self_attn_layer_norm.{e}") for x, e in zip(tokens, experts, strict=True)]
        q, k, v = (
            torch.stack([linear(x, f"{stem}.self_attn.{p}_proj.{e}") for x, e in zip(normed, experts, strict=True)])
            for p in "qkv"
        )
        heads = []
        for start in range(0, model.config.hidden_size, size):
            part = slice(start, start + size)
            heads.append(torch.softmax(q[:, part] @ k[:, part].T / size**0.5, dim=1) @ v[:, part])
        mixed = torch.cat(heads, dim=1)
        for i, e in enumerate(experts):
            tokens[i] = tokens[i] + linear(
                norm(mixed[i], f"{stem}.self_attn.inner_attn_ln.{e}"), f"{stem}.self_attn.out_proj.{e}"
            )
        for i, e in enumerate(experts):
            inner = F.gelu(linear(norm(tokens[i], f"{stem}.final_layer_norm.{e}"), f"{stem}.ffn.{e}.fc1"))
            tokens[i] = tokens[i] + linear(norm(inner, f"{stem}.ffn.{e}.ffn_layernorm"), f"{stem}.ffn.{e}.fc2")
    return torch.stack([norm(x, f"encoder.layer_norm.{e}") for x, e in zip(tokens, experts, strict=True)])


@torch.no_grad()
def test_equals_the_plain_formulas(model):
    pixels, ids, mask = items()
    states = model(pixels, ids, mask)
    for row in range(len(ids)):
        length = int(mask[row].sum())
        expected = plain_beit3(model, pixels[row], ids[row, :length])
        torch.testing.assert_close(states.last_hidden_state[row, : len(expected)], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(states.vector[row], expected[0], rtol=1e-4, atol=1e-5)
    assert not states.words[mask == 0].any()


@torch.no_grad()
def test_padding_is_inert(model):
    pixels, ids, mask = items()
    states = model(pixels, ids, mask)
    other = torch.where(mask == 0, 7, ids)
    assert torch.equal(model(pixels, other, mask).last_hidden_state, states.last_hidden_state)
    longer = F.pad(ids, (0, 3), value=9), F.pad(mask, (0, 3))
    torch.testing.assert_close(model(pixels, *longer).vector, states.vector)


@torch.no_grad()
def test_masked_content_is_inert_and_visible_content_is_not(model):
    pixels, ids, mask = items()
    patch_mask, word_mask = torch.zeros(3, 9, dtype=torch.bool), torch.zeros(3, 6, dtype=torch.bool)
    patch_mask[:, 4], word_mask[:, 1] = True, True
    states = model(pixels, ids, mask, patch_mask, word_mask).last_hidden_state
    under_patch, beside_patch = pixels.clone(), pixels.clone()
    under_patch[:, :, 4:8, 4:8] = float("nan")
    beside_patch[:, :, 0, 0] += 1.0
    under_word, beside_word = ids.clone(), ids.clone()
    under_word[:, 1], beside_word[:, 0] = 5, (ids[:, 0] - 3) % 20 + 4
    assert torch.equal(model(under_patch, under_word, mask, patch_mask, word_mask).last_hidden_state, states)
    changed = model(beside_patch, ids, mask, patch_mask, word_mask).words[mask.bool() & ~word_mask]
    assert not torch.isclose(changed, states[:, 10:][mask.bool() & ~word_mask]).all(dim=1).any()  # words see the image
    changed = model(pixels, beside_word, mask, patch_mask, word_mask).patches
    assert not torch.isclose(changed, states[:, 1:10]).all(dim=2).any()  # patches see the words


@torch.no_grad()
def test_one_modality_missing_in_a_batch_equals_leaving_it_out(model):
    pixels, ids, mask = items()
    present = torch.tensor([True, False, True])
    noise = torch.where(present[:, None, None, None], pixels, 100.0)
    no_text = mask * torch.tensor([[1], [1], [0]])
    vectors = model(noise, ids, no_text, image_present=present).vector
    torch.testing.assert_close(vectors[0], model(pixels[:1], ids[:1], mask[:1]).vector[0])
    torch.testing.assert_close(vectors[1], model(input_ids=ids[1:2], attention_mask=mask[1:2]).vector[0])
    torch.testing.assert_close(vectors[2], model(pixels[2:]).vector[0])
    assert model(pixels).words is None
    assert model(pixels).last_hidden_state.shape == (3, 10, 24)
    assert (model(input_ids=ids).vector - model(pixels, ids).vector).abs().max() > 0.01


def test_saved_folder_gives_the_same_model(model, tmp_path):
    pixels, ids, mask = items()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    again = Beit3Model.from_pretrained(tmp_path)
    assert again.config.to_dict() | {"_name_or_path": ""} == model.config.to_dict() | {"_name_or_path": ""}
    assert torch.equal(again(pixels, ids, mask).vector, model(pixels, ids, mask).vector)
    assert torch.equal(copy.deepcopy(again)(pixels, ids, mask).vector, model(pixels, ids, mask).vector)


def test_initial_values_come_from_the_seed_alone():
    state = torch.get_rng_state()
    first, same, other = (Beit3Model(small_config(), seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], same[name]) for name in first)
    drawn = [name for name in first if not name.endswith("bias") and "norm" not in name and "_ln." not in name]
    assert not any(torch.equal(first[name], other[name]) for name in drawn)
    constant = {float(first[name].unique()) for name in first if name not in drawn}
    assert constant == {0.0, 1.0}
    queries, values = (first[f"encoder.layers.0.self_attn.{p}_proj.A.weight"].std() for p in "qv")
    assert float(queries) == pytest.approx(24**-0.5, rel=0.1)
    assert float(values) == pytest.approx((math.log(4) / 24) ** 0.5, rel=0.1)


def test_named_sizes():
    base, tiny = Beit3Config.base(), Beit3Config.tiny()
    assert (base.patches, base.max_text_tokens, base.mask_token_id, base.image_outputs) == (196, 1022, 64009, 8192)
    assert (tiny.hidden_size, tiny.num_hidden_layers, tiny.patch_size) == (192, 4, 16)
    assert Beit3Config.tiny(image_target="pixels").image_outputs == 768


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": 5}, "must divide hidden_size .got 5 and 24"),
        ({"image_size": 13}, "multiple of patch_size .got 13 and 4"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be at least 1 .got 0"),
        ({"image_target": "words"}, "codes or pixels .got 'words'"),
        ({"max_text_positions": 2}, "at least 3 .got 2"),
        ({"vocab_size": 4}, "at least 5 .got 4"),
    ],
)
def test_impossible_sizes(change, message):
    with pytest.raises(InputError, match=message):
        small_config(**change)


def test_impossible_input(model):
    with pytest.raises(InputError, match="image, a text or both"):
        model()
    with pytest.raises(InputError, match=r"must be \(3, 12, 12\).*got \(3, 16, 16\)"):
        model(torch.zeros(1, 3, 16, 16))
    with pytest.raises(InputError, match=r"at most 10 tokens \(got 11\)"):
        model(input_ids=torch.zeros(1, 11, dtype=torch.long))
