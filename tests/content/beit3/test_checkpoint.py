import logging
import pickle
from argparse import Namespace

import pytest
import torch
from transformers import BertConfig

from alignrec_geo.content.beit3.aligner import beit3_from_checkpoint
from alignrec_geo.content.beit3.checkpoint import fit_state, interpolate_positions, load_beit3
from alignrec_geo.content.beit3.heads import Beit3ForPreTraining
from alignrec_geo.content.beit3.model import Beit3Model
from alignrec_geo.errors import InputError
from tests.content.beit3.tiny_beit3 import BASE_SHAPES, SMALL_SHAPES, items, made_up_state, small_config


def write(path, state, **beside):
    torch.save({"model": state, **beside}, path)
    return path


def test_public_names_are_the_models_own():
    assert {
        name: tuple(v.shape) for name, v in Beit3ForPreTraining(small_config()).state_dict().items()
    } == SMALL_SHAPES


def test_small_checkpoint_loads_every_weight(tmp_path):
    state = made_up_state(SMALL_SHAPES)
    path = write(tmp_path / "small.pth", state)
    model = load_beit3(Beit3ForPreTraining, path, small_config())
    assert all(torch.equal(values, state[name]) for name, values in model.state_dict().items())
    assert not model.training
    encoder = load_beit3(Beit3Model, path, small_config())
    pixels, ids, mask = items()
    assert torch.equal(encoder(pixels, ids, mask).vector, model.beit3(pixels, ids, mask).vector)
    encoder(pixels, ids, mask).vector.sum().backward()  # it can be trained on
    assert encoder.text_embed.weight.grad is not None


def test_base_checkpoint_loads_strictly(tmp_path):
    """The shapes of the public file; one stored number per weight stands for all of it."""
    state = {name: torch.zeros(()).expand(shape) for name, shape in BASE_SHAPES.items()}
    path = write(tmp_path / "beit3_base_patch16_224.pth", state)
    assert path.stat().st_size < 1e6
    model = load_beit3(Beit3ForPreTraining, path)
    assert sum(values.numel() for values in model.parameters()) == 276_510_730
    assert len(load_beit3(Beit3Model, path).state_dict()) == len(BASE_SHAPES) - 4
    with pytest.raises(InputError, match=r"'beit3.text_embed.weight' is \(64010, 768\) in the file and \(30, 768\)"):
        load_beit3(Beit3Model, path, small_config().base(vocab_size=30))


def test_first_missing_and_first_unexpected_weight_are_named(tmp_path):
    state = made_up_state(SMALL_SHAPES)
    state["beit3.encoder.layers.0.ffn.A.w1"] = state.pop("beit3.encoder.layers.0.ffn.A.fc1.weight")
    state["beit3.zzz"] = torch.zeros(1)
    path = write(tmp_path / "wrong.pth", state)
    for kind in (Beit3Model, Beit3ForPreTraining):
        with pytest.raises(InputError) as error:
            load_beit3(kind, path, small_config())
        assert str(error.value) == (
            f"{path}: not this BEiT-3 model: 1 weights are missing, the first is "
            "'beit3.encoder.layers.0.ffn.A.fc1.weight'; 2 are unexpected, the first is "
            "'beit3.encoder.layers.0.ffn.A.w1'"
        )
    path = write(tmp_path / "other.pth", {"layer.weight": torch.zeros(2)})
    with pytest.raises(
        InputError, match=r"missing, the first is 'beit3.*; 1 are unexpected, the first is 'layer.weight'"
    ):
        load_beit3(Beit3ForPreTraining, path, small_config())
    with pytest.raises(InputError, match="missing, the first is 'beit3"):
        load_beit3(Beit3Model, path, small_config())


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_truncated_file(tmp_path, kept):
    path = write(tmp_path / "cut.pth", made_up_state(SMALL_SHAPES))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputError, match=r"cut.pth: not a readable checkpoint of tensors") as error:
        load_beit3(Beit3Model, path, small_config())
    assert "\n" not in str(error.value)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_nothing_in_a_file_is_executed(tmp_path):
    torch.save({"model": Bomb()}, tmp_path / "bomb.pth")
    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps({"model": Bomb()}, protocol=2))
    for name in ("bomb.pth", "bomb.pkl"):
        with pytest.raises(InputError, match="not a checkpoint of tensors"):
            load_beit3(Beit3Model, tmp_path / name, small_config())


def test_files_of_other_kinds(tmp_path):
    with pytest.raises(InputError, match=r"none.pth: no such file"):
        load_beit3(Beit3Model, tmp_path / "none.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="no dictionary of tensors under 'model'"):
        load_beit3(Beit3Model, tmp_path / "other.pth")
    (tmp_path / "notes.txt").write_text("no tensors here")
    with pytest.raises(InputError, match="not a checkpoint of tensors"):
        load_beit3(Beit3Model, tmp_path / "notes.txt")


def test_fine_tuned_checkpoint_has_no_final_norm_and_other_heads(tmp_path, caplog):
    state = {name: v for name, v in made_up_state(SMALL_SHAPES).items() if "encoder.layer_norm" not in name}
    state = {name: v for name, v in state.items() if not name.startswith("m")} | {"logit_scale": torch.ones(())}
    path = write(tmp_path / "tuned.pth", state, epoch=3, args=Namespace(lr=1e-5))
    with caplog.at_level(logging.WARNING):
        model = load_beit3(Beit3Model, path, small_config())
    notes = [record.getMessage() for record in caplog.records]
    assert [("logit_scale" in note, "not normalised" in note) for note in notes] == [(True, False), (False, True)]
    assert model.config.final_norm is False
    pixels, ids, mask = items()
    full = load_beit3(Beit3Model, write(tmp_path / "full.pth", made_up_state(SMALL_SHAPES)), small_config())
    norm = full.encoder.layer_norm["A"]
    torch.testing.assert_close(norm(model(pixels, ids, mask).vector), full(pixels, ids, mask).vector)
    model.save_pretrained(tmp_path / "folder")
    again = load_beit3(Beit3Model, tmp_path / "folder")
    assert torch.equal(again(pixels, ids, mask).vector, model(pixels, ids, mask).vector)
    with pytest.raises(InputError, match=r"missing, the first is 'mlm_head.weight'"):
        load_beit3(Beit3ForPreTraining, path, small_config())


def test_another_image_size_interpolates_the_positions(tmp_path, caplog):
    state = made_up_state(SMALL_SHAPES)
    path = write(tmp_path / "small.pth", state)
    with caplog.at_level(logging.WARNING):
        model = load_beit3(Beit3Model, path, small_config(image_size=20))
    assert "positions of 9 patches are interpolated to 25" in caplog.text
    table = model.encoder.embed_positions["A"].weight
    old = state["beit3.encoder.embed_positions.A.weight"]
    assert torch.equal(table[:3], old[:3])
    square = torch.nn.functional.interpolate(old[3:].T.reshape(1, 24, 3, 3), size=5, mode="bicubic")
    torch.testing.assert_close(table[3:].T.reshape(1, 24, 5, 5), square)
    assert model(torch.zeros(1, 3, 20, 20)).patches.shape == (1, 25, 24)


def test_interpolation_keeps_rows_and_columns_apart():
    row, column = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    table = torch.cat([torch.full((3, 2), 9.0), torch.stack([row.flatten(), column.flatten()], dim=1)])
    assert torch.equal(interpolate_positions(table, 4), table)
    finer = interpolate_positions(table, 8)[3:].view(8, 8, 2)
    torch.testing.assert_close(finer[:, 0, 0], finer[:, 5, 0])  # the same row
    torch.testing.assert_close(finer[0, :, 1], finer[5, :, 1])  # the same column
    assert bool((finer[1:, :, 0] > finer[:-1, :, 0]).all())
    with pytest.raises(InputError, match=r"square number of rows .got 8"):
        interpolate_positions(torch.zeros(8, 2), 4)


def test_folders(tmp_path):
    model = Beit3ForPreTraining(small_config(), seed=2)
    model.save_pretrained(tmp_path / "whole")
    for kind in (Beit3Model, Beit3ForPreTraining):
        loaded = load_beit3(kind, tmp_path / "whole").state_dict()
        assert all(torch.equal(v, model.state_dict()["beit3." * (kind is Beit3Model) + n]) for n, v in loaded.items())
    model.beit3.save_pretrained(tmp_path / "encoder")
    with pytest.raises(InputError, match=r"does not hold this model \(missing 'mim_head.bias'\)"):
        load_beit3(Beit3ForPreTraining, tmp_path / "encoder")
    weights = tmp_path / "whole" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable folder of save_pretrained"):
        load_beit3(Beit3Model, tmp_path / "whole")
    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match=r"must be a folder of a beit3 model .got 'bert'"):
        load_beit3(Beit3Model, tmp_path / "bert")


def test_what_is_gone_on_from_keeps_what_fits(tmp_path):
    """The head over words of a pre-trained one; of a fine-tuned one the encoder alone, without its final norm."""
    state = made_up_state(SMALL_SHAPES)
    whole = beit3_from_checkpoint(write(tmp_path / "whole.pth", state), small_config(), "pixels", 8)
    assert torch.equal(whole.mlm_head.weight, state["mlm_head.weight"])
    state = {name: values for name, values in state.items() if name.startswith("beit3.")}
    assert fit_state(state, small_config(), heads=False)[2] == []  # nothing was left out, so nothing is said
    tuned = [beit3_from_checkpoint(write(tmp_path / "t.pth", state), small_config(), "codes", 8, n) for n in (0, 0, 1)]
    assert torch.equal(tuned[0].beit3.text_embed.weight, state["beit3.text_embed.weight"])
    assert torch.equal(tuned[0].mlm_head.weight, tuned[1].mlm_head.weight)
    assert not torch.equal(tuned[0].mlm_head.weight, tuned[2].mlm_head.weight)
    assert tuned[0].mim_head.weight.shape[0] == 8
    assert tuned[0].beit3.get_input_embeddings() is tuned[0].beit3.text_embed
