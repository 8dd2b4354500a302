import subprocess
import sys

import pytest
import torch

from alignrec_geo.content.multiway.stack import MultiwayStack
from alignrec_geo.errors import InputError

STREAMS = {"image": (4, 6), "text": (5, 3), "audio": (1, 8)}


def stack(seed: int = 0, **changes: object) -> MultiwayStack:
    return MultiwayStack(STREAMS, **({"dim": 16, "layers": 2, "heads": 2, "seed": seed} | changes))


def tokens(n: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {name: torch.randn(n, t, width, generator=generator) for name, (t, width) in STREAMS.items()}


def test_shapes_and_repr():
    out = stack()(tokens())
    assert out.vector.shape == (3, 16)
    assert {name: tuple(part.shape) for name, part in out.streams.items()} == {
        "image": (3, 4, 16),
        "text": (3, 5, 16),
        "audio": (3, 1, 16),
    }
    assert repr(stack()) == "MultiwayStack(streams=['image', 'text', 'audio'], dim=16, layers=2)"


@torch.no_grad()
def test_absent_and_masked_tokens_are_inert():
    model, inputs = stack(), tokens()
    present = {"text": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()}
    masked = {"image": torch.zeros(3, 4, dtype=torch.bool), "audio": torch.tensor([[True], [False], [False]])}
    masked["image"][:, 2] = True
    out = model(inputs, present, masked)
    other = {name: part.clone() for name, part in inputs.items()}
    other["text"][~present["text"]] = float("nan")
    other["image"][:, 2] = float("nan")
    other["audio"][0] = float("inf")
    again = model(other, present, masked)
    assert torch.equal(again.vector, out.vector)
    assert all(torch.equal(again.streams[name], part) for name, part in out.streams.items())
    assert not out.streams["text"][~present["text"]].any()
    other["image"][:, 1] += torch.arange(6.0)
    changed = model(other, present, masked)
    assert not torch.isclose(changed.vector, out.vector).all(dim=1).any()
    assert not torch.isclose(changed.streams["image"][:, 2], out.streams["image"][:, 2]).all(dim=1).any()


def test_inert_tokens_pass_no_gradient_even_if_not_a_number():
    model, inputs = stack(), tokens()
    masked = {"audio": torch.ones(3, 1, dtype=torch.bool)}
    present = {"text": torch.arange(5).expand(3, 5) < 3}
    inputs["audio"][:] = float("nan")
    inputs["text"][:, 3:] = float("nan")
    out = model(inputs, present, masked)
    (out.vector.sum() + out.streams["audio"].square().sum()).backward()
    assert all(values.grad.isfinite().all() for values in model.parameters() if values.grad is not None)
    assert model.mask_tokens["audio"].grad.any()
    assert not model.projections["audio"][1].weight.grad.any()


@torch.no_grad()
def test_leaving_a_stream_out_equals_hiding_all_of_it():
    model, inputs = stack(), tokens()
    hidden = model(inputs, present={"audio": torch.zeros(3, 1, dtype=torch.bool)}).vector
    left_out = model({name: inputs[name] for name in ("text", "image")}).vector  # in any order
    torch.testing.assert_close(left_out, hidden)
    cut = {**inputs, "text": inputs["text"][:, :2]}
    padded = model(inputs, present={"text": torch.arange(5).expand(3, 5) < 2}).vector
    torch.testing.assert_close(model(cut).vector, padded)


@torch.no_grad()
def test_each_stream_has_experts_of_its_own():
    model, inputs = stack(), tokens()
    before = model(inputs)
    model.blocks[-1].ffn["audio"].fc2.bias += torch.arange(16.0)
    after = model(inputs)
    torch.testing.assert_close(after.vector, before.vector)
    torch.testing.assert_close(after.streams["text"], before.streams["text"])
    assert not torch.allclose(after.streams["audio"], before.streams["audio"])


def test_initial_values_come_from_the_seed_alone():
    state = torch.get_rng_state()
    first, same, other = (stack(seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert all(values.isfinite().all() for values in first.values())
    assert not torch.equal(first["mask_tokens.image"], other["mask_tokens.image"])
    assert not torch.equal(first["blocks.1.ffn.cls.fc1.weight"], other["blocks.1.ffn.cls.fc1.weight"])


def test_learns_to_predict_one_modality_from_another():
    """Audio repeats a part of the image; predicting it masked needs the image."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(64, 1, 6, generator=generator)
    audio = torch.cat([image, image[:, :, :2]], dim=2)
    model, head = MultiwayStack({"image": (1, 6), "audio": (1, 8)}, dim=16, layers=2, heads=2), torch.nn.Linear(16, 8)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=5e-3)
    masked = {"audio": torch.ones(64, 1, dtype=torch.bool)}

    def loss(images: torch.Tensor) -> torch.Tensor:
        states = model({"image": images, "audio": audio}, masked=masked).streams["audio"]
        return (head(states) - audio).square().mean()

    for _ in range(100):
        optimizer.zero_grad()
        loss(image).backward()
        optimizer.step()
    assert loss(image).item() < 0.3
    assert loss(image.roll(1, 0)).item() > 1.0


@pytest.mark.parametrize(
    ("streams", "sizes", "message"),
    [
        ({}, {}, "at least one stream"),
        ({"cls": (1, 2)}, {}, "other than 'cls' and torch's own .got 'cls'"),
        ({"values": (1, 2)}, {}, "got 'values'"),
        ({"training": (1, 2)}, {}, "got 'training'"),
        ({"a.b": (1, 2)}, {}, "got 'a.b'"),
        ({"image": (0, 2)}, {}, "at least 1 token of width 2"),
        ({"image": (1, 1)}, {}, "at least 1 token of width 2"),
        ({"image": (1, 2)}, {"dim": 10, "heads": 4}, "heads must divide dim"),
        ({"image": (1, 2)}, {"layers": 0}, "layers be at least 1"),
    ],
)
def test_impossible_stacks(streams, sizes, message):
    with pytest.raises(InputError, match=message):
        MultiwayStack(streams, **sizes)


def test_impossible_input():
    model, inputs = stack(), tokens()
    with pytest.raises(InputError, match=r"image, text, audio .got 'video'"):
        model({"video": inputs["image"]})
    with pytest.raises(InputError, match="got none"):
        model({})
    with pytest.raises(InputError, match=r"'text' must be \[n, at most 5, 3\] \(got \[3, 4, 6\]\)"):
        model({"text": inputs["image"]})
    with pytest.raises(InputError, match=r"masks of 'text' must be \[3, 5\] \(got \[3, 4\]\)"):
        model(inputs, masked={"text": torch.zeros(3, 4, dtype=torch.bool)})


def test_the_stack_does_not_load_transformers():
    code = "import sys, alignrec_geo.content; assert 'torch' not in sys.modules"
    code += "; import alignrec_geo.content.multiway.stack"
    code += "; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
