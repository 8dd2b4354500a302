import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.beit3.data import PATCHES, WORDS
from alignrec_geo.content.beit3.heads import Beit3ForPreTraining
from alignrec_geo.content.beit3.item_encoder import open_beit3_encoder
from alignrec_geo.content.beit3.settings import Beit3Settings
from alignrec_geo.content.beit3.task import Beit3Task
from alignrec_geo.content.beit3.vocabulary import Beit3Vocabulary
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.pretraining.align import align
from alignrec_geo.content.pretraining.loop import PretrainConfig
from alignrec_geo.content.tokens.text_tokens import item_texts
from alignrec_geo.content.tokens.visual_codes import VisualCodebook
from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json
from tests.content.encoders.tiny_encoders import vision_folder

pytestmark = pytest.mark.first

SHAPE = Beit3Settings(dim=48, layers=1, heads=2, image_target="pixels")
LOOP = PretrainConfig(epochs=60, batch_size=64, lr=8e-3, held_out=0.2, eval_every=60, precision="float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    return make_catalogue(n_users=60, n_items=600, image_size=16).save(tmp_path_factory.mktemp("shop") / "catalogue")


@pytest.fixture
def task(data) -> Beit3Task:
    return Beit3Task(data, "tiny", SHAPE)


@pytest.fixture(scope="module")
def aligned(data):
    """Trained for two epochs and stored."""
    task = Beit3Task(data, "tiny", SHAPE)
    done = align(data, task, "beit3-tiny", "aligned", LOOP.model_copy(update={"epochs": 2, "eval_every": 2}))
    task.save(data.encoder_folder("aligned"))
    return done


@pytest.fixture(scope="module")
def learned(data):
    """Learned from scratch in half a minute."""
    return align(data, Beit3Task(data, "tiny", SHAPE), "beit3-tiny", "learned", LOOP)


def opened(data):
    folder = data.encoder_folder("aligned")
    tensors = load_file(folder / "model.safetensors")
    return open_beit3_encoder(folder, read_json(folder / "config.json"), tensors, torch.device("cpu"))


@pytest.mark.slow
def test_the_right_partner_helps_to_predict_what_is_hidden(learned):
    held_out = learned.result.history[-1]["held_out"]
    assert held_out["words"] < held_out["words shuffled"] - 0.01
    assert held_out["patches"] < held_out["patches shuffled"] - 0.06


@pytest.mark.slow
def test_the_vector_knows_the_colour_that_only_the_image_shows(learned, data):
    """The nearest item by vector has a nearer mean colour than a random item."""
    colour = data.features("image").matrix
    both = np.flatnonzero(data.features("image").present)
    vectors = torch.nn.functional.normalize(torch.from_numpy(learned.features.matrix[both]), dim=1)
    nearest = (vectors @ vectors.T).fill_diagonal_(-1).argmax(dim=1).numpy()
    rows = colour[both] / np.linalg.norm(colour[both], axis=1, keepdims=True)
    assert (rows * rows[nearest]).sum(axis=1).mean() > (rows * np.roll(rows, 1, axis=0)).sum(axis=1).mean() + 0.02


def test_the_stored_encoder_gives_the_stored_vectors(aligned, data):
    encoder, texts = opened(data), item_texts(data.items)
    items = [NewItem(str(row), texts[row], data.image_path(row)) for row in range(6)]
    vectors, present = encoder.encode(items)
    assert present.all()
    torch.testing.assert_close(vectors, torch.from_numpy(aligned.features.matrix[:6]), atol=1e-3, rtol=1e-3)
    for hidden, left in (("image", {"text": texts[0]}), ("text", {"image": data.image_path(0)})):
        masked, _ = encoder.encode(items[:1], masked=[hidden])
        torch.testing.assert_close(masked, encoder.encode([NewItem("new", **left)])[0])
        assert (masked - vectors[:1]).abs().max() > 0.05
    nothing, there = encoder.encode(items[:1], masked=["image", "text"])
    assert not there.any()
    assert not nothing.any()


def test_another_tokenizer_is_refused(aligned, data, tmp_path):
    copy = data.save(tmp_path / "copy")
    Beit3Vocabulary.learn(["other words"], 50).save(copy.encoder_folder("aligned"))
    with pytest.raises(InputError, match="the tokenizer is not that of the training"):
        opened(copy)
    (copy.encoder_folder("aligned") / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file"):
        opened(copy)


def test_every_item_is_shown_in_one_way(task):
    generator = torch.Generator().manual_seed(2)
    rows = task.items[:16]
    ways = [task.data.masked(rows, generator, way) for way in range(5)]
    maskable = ways[0].words_present & ~torch.isin(ways[0].ids, torch.tensor(sorted(task.data.words.special)))
    assert 0.4 < ways[0].word_mask.sum() / maskable.sum() < 0.6
    assert ways[1].patch_mask.sum(dim=1).tolist() == [6] * 16  # 0.4 of 16
    assert torch.equal(ways[2].word_mask, maskable)
    assert ways[3].patch_mask.all()
    assert not ways[4].words_present.any()
    for number, batch in enumerate(ways):
        assert bool(batch.word_mask.any()) is (number in (0, 2))
        assert bool(batch.patch_mask.any()) is (number in (1, 3))
        assert batch.bag.sum(dim=1) == pytest.approx(torch.ones(16), abs=1e-5)


def test_partners_bring_what_helps_and_nothing_else(task):
    batch = task.data.masked(task.items[:4], torch.Generator().manual_seed(0))
    order = torch.tensor([1, 2, 3, 0])
    for prediction, moved in ((WORDS, {"pixels", "image_present"}), (PATCHES, {"ids", "words_present"})):
        shuffled = batch.with_partners(prediction, order)
        for name in batch._fields:
            expected = getattr(batch, name)[order] if name in moved else getattr(batch, name)
            assert torch.equal(getattr(shuffled, name), expected)


def test_every_parameter_gets_a_gradient(task):
    sum(task.loss(task.batch(task.items[:48], torch.Generator().manual_seed(0))).values()).backward()
    assert [name for name, values in task.model.named_parameters() if values.grad is None] == []


def test_broken_images_are_reported_and_count_as_missing(data, tmp_path):
    copy = data.save(tmp_path / "copy")
    broken, gone = copy.image_path(0), copy.image_path(1)
    broken.write_bytes(b"no image")
    gone.unlink()
    task = Beit3Task(copy, "tiny", SHAPE)
    assert task.unreadable == {"item-0000": "not an image", "item-0001": "the file is missing"}
    assert task.present()[:2].all()
    assert not {0, 1} & set(task.items.tolist())
    rows = np.array([0, 1])
    torch.testing.assert_close(task.vectors(rows), task.vectors(rows, masked=["image"]))
    assert not task.vectors(rows, masked=["text"]).any()


@pytest.mark.slow
def test_codes_come_from_an_image_encoder_or_the_users_codebook(data, tmp_path):
    folder = str(vision_folder(tmp_path / "vit"))
    settings = SHAPE.model_copy(update={"image_target": "codes", "codes": 8, "patch_size": 8})
    task = Beit3Task(data, "tiny", settings, image_encoder=folder, cache=tmp_path / "cache")
    assert task.data.codes.shape == (600, 4)
    assert len(np.unique(task.data.codes)) == 8
    batch = task.data.masked(task.items[:8], torch.Generator().manual_seed(0))
    assert batch.look.sum(dim=1) == pytest.approx(torch.ones(8), abs=1e-5)
    assert all(value.isfinite() for value in task.loss(batch).values())
    VisualCodebook(torch.randn(5, 8, generator=torch.Generator().manual_seed(0))).save(tmp_path / "book.safetensors")
    book = tmp_path / "book.safetensors"
    own = Beit3Task(data, "tiny", settings, image_encoder=folder, codebook=book, cache=tmp_path / "cache")
    assert own.model.ica.mim_head.weight.shape == (5, 48)
    with pytest.raises(InputError, match=r"the map of .* has 2 x 2 cells, the images 4 x 4 patches"):
        Beit3Task(data, "tiny", settings.model_copy(update={"patch_size": 4}), image_encoder=folder)
    with pytest.raises(InputError, match="a codebook is for image_target=codes"):
        Beit3Task(data, "tiny", SHAPE, codebook=book)


def test_a_checkpoint_is_encoded_with_without_training(data, tmp_path, monkeypatch):
    words = Beit3Vocabulary.learn([text for text in item_texts(data.items) if text], 300)
    monkeypatch.setattr(Beit3Vocabulary, "of_checkpoint", classmethod(lambda *_: words))
    shape = Beit3Config.tiny(vocab_size=words.size, image_size=16, patch_size=4, hidden_size=24, num_hidden_layers=1)
    trained = Beit3ForPreTraining(shape, seed=3)
    trained.save_pretrained(tmp_path / "ckpt")
    task = Beit3Task(data, "tiny", SHAPE, checkpoint=tmp_path / "ckpt", tokenizer=tmp_path / "beit3.spm")
    assert torch.equal(task.model.ica.mlm_head.weight, trained.mlm_head.weight)
    assert task.model.ica.mim_head.weight.shape == (48, 24)
    done = align(data, task, "beit3-tiny", "encoded", PretrainConfig(epochs=0), shrink=None)
    assert done.result.history == []
    pixels, has, ids, present = task.data.shown(np.arange(4))
    with torch.no_grad():
        expected = trained.eval().beit3(pixels, ids, present, image_present=has).vector
    torch.testing.assert_close(torch.from_numpy(done.features.matrix[:4]), expected)


def test_a_checkpoint_needs_its_tokenizer(data, tmp_path):
    with pytest.raises(InputError, match=r"its tokenizer is needed, too: beit3\.spm"):
        Beit3Task(data, "base", SHAPE, checkpoint=tmp_path)


def test_a_codebook_of_another_encoder_is_refused(data, tmp_path):
    folder = str(vision_folder(tmp_path / "vit"))
    settings = SHAPE.model_copy(update={"image_target": "codes", "codes": 8, "patch_size": 8})
    VisualCodebook(torch.randn(5, 8), encoder="another").save(tmp_path / "book.safetensors")
    with pytest.raises(InputError, match="the codebook was made for another image encoder than vit"):
        Beit3Task(data, "tiny", settings, image_encoder=folder, codebook=tmp_path / "book.safetensors")
