import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ResNetConfig, ResNetModel, ViTModel

from alignrec_geo.content.encoders import open_image_encoder
from alignrec_geo.errors import InputError
from tests.content.encoders.tiny_encoders import text_folder, vision_folder


def image():
    return Image.fromarray(np.arange(20 * 10 * 3, dtype=np.uint8).reshape(20, 10, 3))


@pytest.mark.parametrize("pooler", [False, True])
def test_a_vit_gives_its_patches_and_its_vector(tmp_path, pooler):
    folder = vision_folder(tmp_path / "vit", pooler)
    said = {"size": {"height": 16, "width": 16}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    encoder = open_image_encoder(str(folder))
    assert (encoder.name, encoder.width, encoder.grid, encoder.patch_width) == ("vit", 8, (2, 2), 8)
    prepared = encoder.prepare(image())
    out = encoder.encode(np.stack([prepared, prepared]))
    pixels = (torch.from_numpy(prepared.copy()).permute(2, 0, 1) / 255 - 0.5) / torch.tensor([0.5, 0.25, 0.5])[
        :, None, None
    ]
    want = ViTModel.from_pretrained(folder, add_pooling_layer=pooler).eval()(pixel_values=pixels[None])
    torch.testing.assert_close(out.patches[1:], want.last_hidden_state[:, 1:], atol=1e-5, rtol=1e-5)
    pooled = want.pooler_output if pooler else want.last_hidden_state[:, 1:].mean(dim=1)
    torch.testing.assert_close(out.pooled[1:], pooled, atol=1e-5, rtol=1e-5)


def test_a_convolutional_network_gives_its_map(tmp_path):
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", image_size=64)
    with torch.random.fork_rng(devices=[]):
        ResNetModel(config).save_pretrained(tmp_path / "resnet")
    (tmp_path / "resnet" / "preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": 64}}))
    encoder = open_image_encoder(str(tmp_path / "resnet"))
    assert (encoder.grid, encoder.patch_width, encoder.width) == ((8, 8), 8, 8)
    out = encoder.encode(encoder.prepare(image())[None])
    torch.testing.assert_close(out.pooled, out.patches.mean(dim=1))


def test_a_text_model_is_no_image_encoder(tmp_path):
    with pytest.raises(InputError, match="not a vision model"):
        open_image_encoder(str(text_folder(tmp_path / "bert")))


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"size": 1000000}',
        '{"size": {"height": -3}}',
        '{"image_mean": "grey"}',
        '{"image_mean": [0.5]}',
        '{"image_mean": [0.5, 0.5, NaN]}',
        '{"image_std": [1, 1, 0]}',
        '{"image_std": [[1], [1], ["x"]]}',
    ],
)
def test_settings_of_images_that_cannot_be_are_one_line(tmp_path, content):
    folder = vision_folder(tmp_path / "vit")
    (folder / "preprocessor_config.json").write_text(content)
    with pytest.raises(InputError, match="vit") as refused:
        open_image_encoder(str(folder))
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_pooler_is_opened_without_a_word(tmp_path, capfd):
    open_image_encoder(str(vision_folder(tmp_path / "vit", pooler=False)))
    capfd.readouterr()  # what the folder was written with
    open_image_encoder(str(tmp_path / "vit"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["image_mean", "image_std"])
def test_channels_are_finite_and_spread(tmp_path, name):
    folder = vision_folder(tmp_path / "vit")
    (folder / "preprocessor_config.json").write_text(json.dumps({name: [1e39, 1, 1]}))  # infinite as float32
    with pytest.raises(InputError, match=f"'{name}' must be finite"):
        open_image_encoder(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({name: [0, 1, 1]}))
    if name == "image_mean":
        assert open_image_encoder(str(folder)).width == 8
        return
    with pytest.raises(InputError, match="'image_std' must be above 0"):
        open_image_encoder(str(folder))
