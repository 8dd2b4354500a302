import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.item_encoding.encode_items import encode_items
from alignrec_geo.content.item_encoding.open import open_pretrained
from alignrec_geo.content.matrices.item_encoder import open_features_encoder
from alignrec_geo.content.matrices.model import FeaturesModel, InputWhitening
from alignrec_geo.content.matrices.task import FeaturesConfig, FeaturesTask
from alignrec_geo.content.pretraining.align import align
from alignrec_geo.content.pretraining.loop import PretrainConfig, pretrain
from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.dataset.features import Features
from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json
from alignrec_geo.kernels.infonce import reference_infonce

SHAPE = FeaturesConfig(dim=32, layers=1, heads=2)
LOOP = PretrainConfig(epochs=15, batch_size=32, lr=3e-3, held_out=0.2, eval_every=15, precision="float32")
WIDTHS = {"look": 12, "sound": 8, "words.en": 10}


def noisy_views(items: int = 240, seed: int = 0) -> dict[str, np.ndarray]:
    """Three views of four hidden causes: what one says, the others say in other words, and each adds its own noise."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(items, 4))
    views = {}
    for name, width in WIDTHS.items():
        own = rng.normal(size=(items, 2)) @ rng.normal(size=(2, width))
        views[name] = (causes @ rng.normal(size=(4, width)) + own + 20.0).astype(np.float32)
    return views


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    """Of the first six items, item n lacks modality n mod 3; item 6 has one modality, item 7 none."""
    catalogue = make_catalogue(n_users=60, n_items=240, image_size=8)
    lacks = {"look": [0, 3, 6, 7], "sound": [1, 4, 6, 7], "words.en": [2, 5, 7]}
    features = []
    for name, matrix in noisy_views().items():
        present = ~np.isin(np.arange(len(matrix)), lacks[name])
        features.append(Features(name, matrix * present[:, None], present))
    return catalogue.with_features(*features).save(tmp_path_factory.mktemp("views") / "data")


@pytest.fixture
def task(data) -> FeaturesTask:
    return FeaturesTask(data, list(WIDTHS), SHAPE)


@pytest.fixture(scope="module")
def aligned(data):
    return align(data, FeaturesTask(data, list(WIDTHS), SHAPE), "features", "aligned", LOOP)


def opened(data):
    folder = data.encoder_folder("aligned")
    tensors = load_file(folder / "model.safetensors")
    return open_features_encoder(folder, read_json(folder / "config.json"), tensors, torch.device("cpu"))


def test_items_with_two_modalities_are_learned_from_and_all_with_any_are_encoded(task):
    assert task.items.tolist() == [0, 1, 2, 3, 4, 5, *range(8, 240)]
    assert np.flatnonzero(~task.present()).tolist() == [7]
    vectors = task.vectors(np.arange(8))
    assert (vectors.norm(dim=1) > 0).tolist() == [True] * 7 + [False]
    assert vectors.dtype == torch.float32


def test_other_modalities_of_the_item_predict_better_than_those_of_another(aligned):
    held_out = aligned.result.history[-1]["held_out"]
    assert set(held_out) == {key for name in WIDTHS for key in (name, f"{name} shuffled")}
    for name in WIDTHS:
        assert held_out[name] < held_out[f"{name} shuffled"] - 0.3


def test_hiding_is_the_same_as_missing(task):
    rows = np.array([10, 11])
    hidden = task.vectors(rows, ["sound"])
    assert (hidden - task.vectors(rows)).abs().max() > 1e-3
    task._has[rows, 1] = False
    torch.testing.assert_close(task.vectors(rows), hidden)
    assert not task.vectors(rows, list(WIDTHS)).any()


def test_what_stands_at_hidden_and_missing_modalities_is_inert(task):
    rows = task.items[:32]
    generator = torch.Generator().manual_seed(0)
    vectors, present = task._rows(torch.from_numpy(rows))
    hidden = torch.zeros_like(present)
    hidden[:, 1] = True
    before = task.model.vectors(vectors, present & ~hidden)
    vectors[1] = torch.randn(vectors[1].shape, generator=generator)
    assert torch.equal(task.model.vectors(vectors, present & ~hidden), before)


def test_terms_are_what_the_formulas_say(data):
    model = FeaturesTask(data, list(WIDTHS), SHAPE).model
    rows = torch.arange(20, 52)
    vectors = [torch.from_numpy(data.features(name).matrix)[rows] for name in WIDTHS]
    present, hidden = torch.ones(32, 3, dtype=torch.bool), torch.zeros(32, 3, dtype=torch.bool)
    hidden[:10, 0] = hidden[10:25, 2] = True
    present[5:8, 1] = False
    terms = model(vectors, present, hidden)
    target = [whiten(part) for whiten, part in zip(model.whiten, vectors, strict=True)]
    out = model.encode(target, hidden | ~present)
    first, third = model.predict[0](out.states[0][:10]), model.predict[2](out.states[2][10:25])
    regression = (first - target[0][:10]).square().mean() + (third - target[2][10:25]).square().mean()
    contrast = sum(
        reference_infonce(predicted, wanted, model.temperature)
        for predicted, wanted in ((first, target[0][:10]), (third, target[2][10:25]))
    )
    read = [
        (head(out.vector) - part)[there].square().mean()
        for head, part, there in zip(model.read, target, present.T, strict=True)
    ]
    torch.testing.assert_close(terms["regression"], regression)
    torch.testing.assert_close(terms["contrast"], 0.1 * contrast)
    torch.testing.assert_close(terms["vector"], sum(read))


def test_nothing_hidden_leaves_two_terms_zero(task):
    vectors, present = task._rows(torch.from_numpy(task.items[:4]))
    with torch.no_grad():
        terms = task.model(vectors, present, torch.zeros_like(present))
    assert float(terms["regression"]) == float(terms["contrast"]) == 0.0
    assert float(terms["vector"]) > 0.0


def test_every_parameter_gets_a_gradient(task):
    sum(task.loss(task.batch(task.items[:64], torch.Generator().manual_seed(0))).values()).backward()
    dead = [name for name, p in task.model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not [name for name in dead if "k_proj" not in name or "bias" not in name], dead


def test_mixed_precision_trains(task, tmp_path):
    history = pretrain(task, LOOP.model_copy(update={"epochs": 1, "precision": "bfloat16"}), 0, tmp_path).history
    assert all(np.isfinite(value) for value in history[0]["loss"].values())


def test_input_whitening_gives_every_column_its_due():
    vectors = torch.from_numpy(noisy_views()["look"])
    whiten = InputWhitening(12)
    assert torch.equal(whiten(vectors), vectors)
    whiten.fit(vectors, shrink=1e-3)
    out = whiten(vectors)
    assert out.mean(dim=0).abs().max() < 1e-4
    assert float(out.square().mean()) == pytest.approx(1.0, rel=1e-4)


def test_the_stored_encoder_gives_the_stored_vectors(aligned, data):
    encoder = opened(data)
    assert encoder.modalities == tuple(WIDTHS)
    rows = [0, 1, 2, 6, 7, 20]
    stored = {name: data.features(name) for name in WIDTHS}
    items = [
        NewItem(str(row), vectors={name: part.matrix[row] for name, part in stored.items() if part.present[row]})
        for row in rows
    ]
    vectors, present = encoder.encode(items)
    assert present.tolist() == [True, True, True, True, False, True]
    torch.testing.assert_close(vectors, torch.from_numpy(aligned.features.matrix[rows]), atol=1e-4, rtol=1e-4)
    hidden, _ = encoder.encode(items[-1:], masked=["look"])
    without = NewItem("x", vectors={name: part for name, part in items[-1].vectors.items() if name != "look"})
    torch.testing.assert_close(encoder.encode([without])[0], hidden)


def test_vectors_that_do_not_fit_are_refused(aligned, data):
    encoder = opened(data)
    with pytest.raises(InputError, match=r"item 'x': 'look' must have 12 numbers \(got shape \(3,\)\)"):
        encoder.encode([NewItem("x", vectors={"look": np.ones(3)})])
    with pytest.raises(InputError, match="'sound' holds NaN or infinity"):
        encoder.encode([NewItem("x", vectors={"sound": np.full(8, np.nan)})])


@pytest.mark.parametrize("names", [[], ["look"], ["look", "look"]])
def test_two_different_matrices_are_needed(data, names):
    with pytest.raises(InputError, match="at least two different feature matrices"):
        FeaturesTask(data, names)


def test_items_must_have_two_of_them(data):
    only = Features("only", np.ones((240, 2), dtype=np.float32), np.arange(240) == 7)
    with pytest.raises(InputError, match="no item of 'catalogue' has two of: look, only"):
        FeaturesTask(data.with_features(only), ["look", "only"])


def test_the_seed_decides_the_initial_values():
    first, again, other = (FeaturesModel([4, 3], 8, 1, 2, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["predict.0.weight"], other["predict.0.weight"])


def test_a_modality_that_is_the_same_for_all_items_is_refused(data):
    constant = np.full((data.interactions.n_items, 3), 7.0, dtype=np.float32)
    constant[0] += 1e-6
    made = data.with_features(Features("flat", constant, np.ones(len(constant), dtype=np.bool_)))
    with pytest.raises(InputError, match="features 'flat' are the same for all items that have them"):
        FeaturesTask(made, ["look", "flat"], SHAPE)


def test_an_encoder_with_damaged_weights_is_refused(aligned, data, tmp_path):
    copy = data.save(tmp_path / "copy")
    file = copy.encoder_folder("aligned") / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name, part in tensors.items() if part.dim() > 1)
    tensors[name][0, 0] = torch.nan
    save_file(tensors, file)
    with pytest.raises(InputError, match=f"the weights '{name}' hold NaN or infinity"):
        open_pretrained(copy, "aligned")
    save_file({name: torch.full_like(part, 3e38) for name, part in tensors.items()}, file)  # no NaN yet
    made = [NewItem("x", vectors={name: np.ones(width, dtype=np.float32) for name, width in WIDTHS.items()})]
    with pytest.raises(InputError, match="features 'aligned': their encoder gives vectors with NaN or infinity"):
        encode_items(copy, ["aligned"], made)


@pytest.mark.parametrize("names", ["look", ["look"], [["look"], "sound", "words.en"], None])
def test_an_encoder_whose_modalities_are_no_names_is_refused(aligned, data, tmp_path, names):
    folder = data.encoder_folder("aligned")
    config = read_json(folder / "config.json")
    config["task"]["modalities"] = names
    with pytest.raises(InputError, match="'modalities' must be one name for each of 'widths'"):
        open_features_encoder(folder, config, load_file(folder / "model.safetensors"), torch.device("cpu"))


def test_an_encoder_whose_parts_do_not_fit_is_refused_when_it_is_opened(aligned, data, tmp_path):
    copy = data.save(tmp_path / "copy")
    folder = copy.encoder_folder("aligned")
    config, tensors = read_json(folder / "config.json"), load_file(folder / "model.safetensors")
    config["task"]["widths"][0] = 10**12
    with pytest.raises(InputError, match="those of the weights"):
        open_features_encoder(folder, config, tensors, torch.device("cpu"))
    save_file({**tensors, "whitening.matrix": torch.zeros(64, 16)}, folder / "model.safetensors")
    with pytest.raises(InputError, match="do not fit each other"):
        open_pretrained(copy, "aligned")
