import re

import numpy as np
import pytest
import torch

from alignrec_geo.content.frozen.data import FrozenData
from alignrec_geo.content.frozen.model import IMAGE, PATCHES, WORDS
from alignrec_geo.content.frozen.task import FrozenConfig, FrozenTask
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.item_encoding.open import open_pretrained
from alignrec_geo.content.pretraining.align import align
from alignrec_geo.content.pretraining.held_out import derangement
from alignrec_geo.content.pretraining.loop import PretrainConfig
from alignrec_geo.content.tokens.text_tokens import item_texts
from alignrec_geo.dataset import Dataset
from alignrec_geo.errors import InputError
from tests.content.colours import coloured_encoders, coloured_things

pytestmark = pytest.mark.first

SHAPE = FrozenConfig(dim=32, hidden=32, layers=2, heads=2, masked_copies=2, codes=16, max_tokens=12, patch_ratio=0.9)
LOOP = PretrainConfig(epochs=20, batch_size=32, lr=3e-3, held_out=0.2, eval_every=20)
SHORT = LOOP.model_copy(update={"epochs": 2, "eval_every": 2})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("frozen")


@pytest.fixture(scope="module")
def data(folder) -> Dataset:
    return coloured_things(folder)


@pytest.fixture(scope="module")
def encoders(folder) -> tuple[str, str]:
    return coloured_encoders(folder)


@pytest.fixture
def task(folder, data, encoders) -> FrozenTask:
    return FrozenTask(data, encoders, SHAPE, seed=0, cache=folder / "cache")


@pytest.fixture(scope="module")
def aligned(folder, data, encoders):
    """Trained for two epochs and stored."""
    task = FrozenTask(data, encoders, SHAPE, 0, cache=folder / "cache")
    return align(data, task, "frozen", "aligned-frozen", SHORT)


@pytest.mark.slow
def test_the_right_partner_helps_to_predict_what_is_hidden(folder, data, encoders):
    task = FrozenTask(data, encoders, SHAPE, 0, cache=folder / "cache")
    held_out = align(data, task, "frozen", "learned-frozen", LOOP).result.history[-1]["held_out"]
    assert held_out["words"] < held_out["words shuffled"] - 0.1
    assert held_out["patches"] < held_out["patches shuffled"] - 0.05


def test_vectors_are_stored_with_where_they_come_from(aligned, data):
    stored = Dataset.open(data.path).features("aligned-frozen")
    assert stored.meta["made by"] == "pretrain"
    assert stored.width == 32
    assert stored.present.all()
    assert np.abs(stored.matrix.mean(axis=0)).max() < 1e-3  # whitened


def test_the_stored_encoder_gives_the_stored_vectors(aligned, data):
    encoder = open_pretrained(data, "aligned-frozen")
    texts = item_texts(data.items)
    items = [NewItem(str(n), texts[n], data.image_path(n)) for n in range(6)]
    vectors, present = encoder.encode(items)
    assert present.all()
    torch.testing.assert_close(vectors, torch.from_numpy(aligned.features.matrix[:6]), atol=2e-3, rtol=2e-3)
    hidden, _ = encoder.encode(items, masked=["image"])
    assert (hidden - vectors).abs().max() > 0.1
    without, _ = encoder.encode([NewItem(item.id, item.text) for item in items])
    torch.testing.assert_close(hidden, without)
    nothing, there = encoder.encode(items[:1], masked=["image", "text"])
    assert not there.any()
    assert not nothing.any()


def test_masked_states_know_nothing_of_the_word(task):
    data, generator = task.data, torch.Generator().manual_seed(1)
    batch = data.masked(task.items[:64], generator, way=0)
    hidden = batch.word_target >= 0
    assert hidden.any()
    ids, states, _ = data.texts.batch(task.items[:64].tolist())
    assert (batch.tokens[WORDS][hidden] - states[:, : data.max_tokens][hidden]).abs().amax(dim=1).min() > 1e-3
    assert torch.equal(batch.word_target[hidden], data.vocabulary.number(ids[:, : data.max_tokens])[hidden])


def test_every_item_is_shown_in_one_way(task):
    generator = torch.Generator().manual_seed(2)
    for way, (words, patches, image, text) in enumerate(
        [
            (True, False, True, True),
            (False, True, True, True),
            (True, True, True, True),
            (False, False, True, False),
            (False, False, False, True),
        ]
    ):
        batch = task.data.masked(task.items[:16], generator, way)
        assert bool((batch.word_target >= 0).any()) is words
        assert bool((batch.code_target >= 0).any()) is bool(batch.masked[PATCHES].any()) is patches
        assert bool(batch.masked[IMAGE].all()) is patches
        assert bool(batch.present[PATCHES].any()) is image
        assert bool(batch.present[WORDS].any()) is text
        assert batch.whole.square().sum(dim=1) == pytest.approx(torch.full((16,), 2.2), abs=1e-4)
        assert (batch.seen - batch.whole).abs().amax(dim=1).min() > 1e-3  # something is always hidden


def test_every_parameter_gets_a_gradient(task):
    with torch.no_grad():
        task.model.encoder.readout.correct.normal_(generator=torch.Generator().manual_seed(1))  # it starts at zero
    sum(task.loss(task.batch(task.items[:48], torch.Generator().manual_seed(0))).values()).backward()
    dead = [name for name, p in task.model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    # a bias of the keys shifts all logits of a query alike; masked words are the text encoder's, not the stack's;
    # nothing is predicted from the picture's own token
    idle = re.compile(r"k_proj\.\w+\.bias$|mask_tokens\.words$|(blocks\.1|norm)\..*picture")
    assert [name for name in dead if not idle.search(name)] == []


def test_no_item_meets_itself():
    for n in (2, 3, 17):
        order = derangement(n, torch.Generator().manual_seed(n))
        assert sorted(order.tolist()) == list(range(n))
        assert not (order == torch.arange(n)).any()


def test_names_are_not_replaced_unasked(aligned, data, task):
    with pytest.raises(InputError, match="has an encoder or features 'aligned-frozen' already"):
        align(data, task, "frozen", "aligned-frozen", LOOP)
    with pytest.raises(InputError, match="started with other settings: seed was 0, now 1"):
        align(data, task, "frozen", "aligned-frozen", LOOP, seed=1, resume=True)


def test_an_encoder_of_an_earlier_release_is_opened_and_continued(aligned, data, task, tmp_path):
    copy = data.save(tmp_path / "copy")
    config = copy.encoder_folder("aligned-frozen") / "config.json"
    text = config.read_text()
    for now, former in (
        ('"kind": "frozen"', '"kind": "package"'),
        ('"masked_copies"', '"drawings"'),
        ('"max_tokens"', '"longest"'),
        ('"image_share"', '"picture_share"'),
    ):
        assert now in text
        text = text.replace(now, former)
    config.write_text(text)
    items = [NewItem("a", text="a red mug")]
    ours, theirs = (open_pretrained(where, "aligned-frozen").encode(items)[0] for where in (data, copy))
    assert torch.equal(ours, theirs)
    assert align(copy, task, "frozen", "aligned-frozen", SHORT, resume=True).result.history


def test_encoders_that_are_not_those_of_the_training(aligned, data, tmp_path):
    copy = data.save(tmp_path / "copy")
    config = copy.encoder_folder("aligned-frozen") / "config.json"
    text = config.read_text()
    config.write_text(re.sub(r'"sha256": "\w{8}', '"sha256": "00000000', text))
    with pytest.raises(InputError, match="it was trained on another 'vit'"):
        open_pretrained(copy, "aligned-frozen")
    config.write_text(text.replace('"frozen"', '"unheard-of"'))
    with pytest.raises(InputError, match="unknown kind of encoder"):
        open_pretrained(copy, "aligned-frozen")
    with pytest.raises(InputError, match="no encoder there"):
        open_pretrained(copy, "image")


def test_a_text_encoder_without_mask_token_is_refused(task, data, encoders, folder, monkeypatch):
    from alignrec_geo.content.frozen import task as package_task

    opened = package_task.open_text_encoder

    def without(source, device):
        encoder = opened(source, device)
        encoder.mask_id = None
        return encoder

    monkeypatch.setattr(package_task, "open_text_encoder", without)
    with pytest.raises(InputError, match="has no mask token"):
        FrozenTask(data, encoders, SHAPE, 0, cache=folder / "cache")


def test_streams_follow_the_encoders(task):
    assert isinstance(task.data, FrozenData)
    assert task.data.streams == {PATCHES: (4, 24), IMAGE: (1, 24), WORDS: (12, 24)}
