import numpy as np
import pytest
from PIL import Image

from alignrec_geo.content.beit3.images import ItemImages, as_pixels, read_image, sizes_for
from alignrec_geo.content.beit3.settings import Beit3Settings
from alignrec_geo.content.beit3.task import _read_texts
from alignrec_geo.errors import InputError
from tests.content.encoders.tiny_encoders import shop
from tests.dataset.toys import dataset


def image(folder, width, height):
    path = folder / f"{width}x{height}.png"
    Image.new("RGB", (width, height), (255, 0, 128)).save(path)
    return path


@pytest.mark.parametrize(
    ("side", "chosen"), [(64, (64, 16)), (70, (64, 16)), (32, (32, 8)), (16, (16, 4)), (500, (224, 16)), (3, (3, 1))]
)
def test_sizes_follow_the_images(tmp_path, side, chosen):
    assert sizes_for([image(tmp_path, side, side + 9), None, tmp_path / "gone.png"]) == chosen


def test_given_sizes_are_kept():
    assert sizes_for([], 48) == (48, 8)
    assert sizes_for([], 48, 16) == (48, 16)
    assert sizes_for([]) == (224, 16)
    with pytest.raises(InputError, match=r"image_size must be a multiple of patch_size \(got 50 and 16\)"):
        sizes_for([], 50, 16)


def test_images_become_squares_in_minus_one_to_one(tmp_path):
    pixels, present = as_pixels([read_image(image(tmp_path, 9, 5), 4), None], 4)
    assert pixels.shape == (2, 3, 4, 4)
    assert present.tolist() == [True, False]
    assert pixels[0, :, 0, 0].tolist() == pytest.approx([1.0, -1.0, 128 / 127.5 - 1.0], abs=1e-6)
    assert not pixels[1].any()


def test_what_is_no_image_says_why(tmp_path):
    truncated = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(truncated)
    truncated.write_bytes(truncated.read_bytes()[:400])
    assert isinstance(read_image(truncated, 4), str)
    assert read_image(tmp_path / "gone.png", 4) == "the file is missing"


def test_a_data_set_without_an_image_that_can_be_read_says_why(tmp_path):
    data = shop(tmp_path)
    assert ItemImages(data, 8).has.tolist() == [False, True, True]
    for row in (1, 2):
        data.image_path(row).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"has no images that can be read; item 'mug': not an image"):
        ItemImages(data, 8)


def test_a_data_set_without_texts_says_so(tmp_path):
    with pytest.raises(InputError, match="has no texts: no item has a title or a text"):
        _read_texts(dataset().save(tmp_path / "bare"), Beit3Settings(), None)


def test_sizes_that_are_not_given_are_those_of_the_kind():
    own = Beit3Settings(dim=24, layers=1, heads=2).shape("tiny", 300, 16, 4)
    assert (own.hidden_size, own.intermediate_size, own.max_text_positions) == (24, 96, Beit3Settings().max_tokens + 2)
    base = Beit3Settings().shape("base", 64010, 224, 16)
    assert (base.hidden_size, base.intermediate_size, base.num_hidden_layers) == (768, 3072, 12)
