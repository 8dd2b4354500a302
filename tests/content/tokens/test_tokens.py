import numpy as np
import pytest
import torch
from PIL import Image

from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.feature_sets.extract import extract_image, extract_text
from alignrec_geo.content.throughput import Throughput
from alignrec_geo.content.tokens import token_cache
from alignrec_geo.content.tokens.image_tokens import image_tokens
from alignrec_geo.content.tokens.text_tokens import item_texts, text_tokens
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from tests.content.encoders.tiny_encoders import shop, text_folder, vision_folder
from tests.dataset.toys import dataset


@pytest.fixture
def text(tmp_path):
    return open_text_encoder(str(text_folder(tmp_path / "bert")))


@pytest.fixture
def image(tmp_path):
    return open_image_encoder(str(vision_folder(tmp_path / "vit")))


class Counting:
    """An encoder that counts what it encodes, and stops after ``most``."""

    def __init__(self, encoder, most=10**9):
        self._encoder, self.seen, self._most = encoder, 0, most

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode(self, batch):
        if self.seen + len(batch) > self._most:
            raise KeyboardInterrupt
        self.seen += len(batch)
        return self._encoder.encode(batch)


def test_the_text_of_an_item_is_its_title_and_its_text(tmp_path):
    data = shop(tmp_path)
    assert dict(zip(data.items["id"], item_texts(data.items), strict=True)) == {
        "mug": "a mug. red mug .", "pen": "a pen", "cup": None
    }  # fmt: skip


def test_text_tokens_hold_what_the_encoder_says(tmp_path, text):
    data = shop(tmp_path)
    tokens = text_tokens(data, text, tmp_path / "cache")
    cup, mug, pen = data.item_rows(["cup", "mug", "pen"])
    ids, states, mask = tokens.batch([mug, cup, pen])
    want = text.encode(text.tokenize(["a mug. red mug ."]))
    torch.testing.assert_close(states[:1], want.states, atol=2e-3, rtol=2e-3)  # kept in half precision
    assert ids[0].tolist() == text.tokenize(["a mug. red mug ."])[0]
    assert mask.sum(dim=1).tolist() == [len(ids[0]), 0, 4]
    assert not states[1].any()
    assert not states[2, 4:].any()
    features = extract_text(data, text, "text", tmp_path / "cache")
    assert features.present[[cup, mug, pen]].tolist() == [False, True, True]
    np.testing.assert_allclose(features.matrix[mug], want.pooled[0].numpy(), atol=1e-5)
    assert features.meta["encoder sha256"] == text.fingerprint


def test_image_tokens_hold_what_the_encoder_says(tmp_path, image):
    data = shop(tmp_path)
    cup, mug, pen = data.item_rows(["cup", "mug", "pen"])
    tokens = image_tokens(data, image, tmp_path / "cache", batch_size=1)
    patches, has = tokens.batch([cup, pen, mug])
    assert has.tolist() == [False, True, True]
    assert not patches[0].any()
    want = image.encode(image.prepare(Image.open(data.image_path(int(pen))))[None])
    torch.testing.assert_close(patches[1], want.patches[0], atol=2e-3, rtol=2e-3)
    features, broken = extract_image(data, image, "image", tmp_path / "cache")
    assert broken == {}
    np.testing.assert_allclose(features.matrix[pen], want.pooled[0].numpy(), atol=1e-5)
    assert not features.present[cup]


@pytest.mark.parametrize(("content", "why"), [(b"no image", "not an image"), (None, "the file is missing")])
def test_a_broken_image_is_reported_and_counts_as_absent(tmp_path, image, content, why):
    data = shop(tmp_path)
    path = data.image_path(int(data.item_rows(["pen"])[0]))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for _ in range(2):  # encoded, then from the cache
        features, broken = extract_image(data, image, "image", tmp_path / "cache")
        assert broken == {"pen": why}
        assert features.present[data.item_rows(["mug", "pen"])].tolist() == [True, False]


@pytest.mark.parametrize("kind", ["image", "text"])
def test_an_interrupted_extraction_goes_on_and_ends_the_same(tmp_path, monkeypatch, image, text, kind):
    monkeypatch.setattr(token_cache, "CHUNK", 8)
    data = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "catalogue")
    run, encoder = (image_tokens, image) if kind == "image" else (text_tokens, text)
    whole = run(data, encoder, tmp_path / "whole", batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        run(data, Counting(encoder, most=20), tmp_path / "parts", batch_size=4)
    said = []
    again = Counting(encoder)
    parts = run(data, again, tmp_path / "parts", batch_size=4, progress=lambda *done: said.append(done))
    n = len(whole.pooled)
    assert again.seen == n - 16
    assert said == [(min(done, n), n) for done in range(24, n + 8, 8)]
    assert np.array_equal(whole.pooled, parts.pooled)
    assert np.array_equal(whole.slot, parts.slot)
    name = "patches" if kind == "image" else "states"
    assert np.array_equal(getattr(whole, name), getattr(parts, name))
    untouched = Counting(encoder, most=0)
    assert np.array_equal(run(data, untouched, tmp_path / "parts").pooled, whole.pooled)


def test_a_data_set_without_content(tmp_path, image, text):
    data = dataset()
    with pytest.raises(InputError, match="has no images; import it with images="):
        image_tokens(data, image, tmp_path)
    with pytest.raises(InputError, match="has no texts"):
        text_tokens(data, text, tmp_path)


def test_images_decoded_in_other_processes_are_the_same(tmp_path, image):
    data = shop(tmp_path)
    counted = Throughput("images")
    alone = image_tokens(data, image, tmp_path / "alone", batch_size=1)
    ahead = image_tokens(data, image, tmp_path / "ahead", batch_size=1, workers=2, throughput=counted)
    assert np.array_equal(alone.slot, ahead.slot)
    assert np.array_equal(alone.patches, ahead.patches)
    assert np.array_equal(alone.pooled, ahead.pooled)
    assert alone.broken == ahead.broken
    assert counted.items == int((ahead.slot >= 0).sum())
    assert f"{counted.items} images encoded, " in str(counted)
    again = Throughput("images")
    image_tokens(data, image, tmp_path / "ahead", workers=2, throughput=again)
    assert str(again) == "images: all from the cache"


def test_memory_that_runs_out_while_encoding_names_the_batch_size(tmp_path, image, monkeypatch):
    def full(images):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(image, "encode", full)
    with pytest.raises(InputError, match=r"encoding images: the GPU's memory ran out .*; lower batch_size"):
        image_tokens(shop(tmp_path), image, tmp_path / "cache")


def test_images_that_are_all_broken_or_too_large_give_an_empty_part(tmp_path, image, monkeypatch):
    data = shop(tmp_path)
    for row in (1, 2):
        data.image_path(row).write_bytes(b"no image")
    tokens = image_tokens(data, image, tmp_path / "cache", batch_size=1)
    assert (tokens.slot == -1).all()
    assert set(tokens.broken.values()) == {"not an image"}
    monkeypatch.setenv("ALIGNREC_LIMITS", "image_bytes=3")
    again = image_tokens(data, image, tmp_path / "other", batch_size=1)
    assert all("has 8 bytes; the limit is 3" in why for why in again.broken.values())
