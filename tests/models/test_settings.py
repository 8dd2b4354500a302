"""What models, training and evaluation refuse in one line, whoever says it: a dictionary, an object, a keyword."""

import math

import pytest
import torch
from torch import nn

from alignrec_geo.content.pretraining.loop import PretrainConfig
from alignrec_geo.dataset import Split, SplitConfig, make_catalogue
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.graph import to_hetero
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.memory import enough_memory
from alignrec_geo.models import MODELS, AlignRec, AlignRecConfig
from alignrec_geo.models.size import check_memory, in_words
from alignrec_geo.nn.loss_list import parse_losses
from alignrec_geo.nn.losses import BPR, UIA
from alignrec_geo.serving import load_top_items
from alignrec_geo.training import TrainingConfig, fit


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


@pytest.fixture(scope="module")
def graph(data):
    return to_hetero(data, cache=False)


KINDS = [*(kind.config_class for kind in MODELS.values()), TrainingConfig, SplitConfig, FilterConfig, PretrainConfig]
NUMBERS = [
    (kind, name, field.annotation)
    for kind in dict.fromkeys(KINDS)
    for name, field in kind.model_fields.items()
    if field.annotation in (int, float, float | None)
]


@pytest.mark.parametrize(("kind", "name", "annotation"), NUMBERS, ids=lambda part: getattr(part, "__name__", str(part)))
def test_no_setting_takes_nan_infinity_or_a_boolean(kind, name, annotation):
    for value in (math.nan, math.inf, -math.inf, True, "x", [1]):
        with pytest.raises(InputError, match=f"^{name}: .*got"):
            kind(**{name: value})
        assert kind(**{name: kind.model_fields[name].default}) == kind()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dims": 3}, r"unknown setting 'dims' \(did you mean 'dim'\?\); there are: dim, layers"),
        ({"dim": 0}, r"dim: .* greater than or equal to 1 \(got 0\)"),
        ({"dim": 2.5}, "dim: .*integer"),
        ({"layers": 101}, "layers: .* less than or equal to 100"),
        ({"uia_weight": -1}, "uia_weight: .* greater than or equal to 0"),
        ({"losses": "bpr + uia(-1)"}, r"losses: weight must be a number of at least 0 \(got -1.0\) in 'uia\(-1\)'"),
        ({"losses": "bpr + uia(nan)"}, "losses: weight must be a number"),
        ({"losses": "cca(0.1, 0)"}, "losses: temperature must be a number above 0"),
        ({"losses": ""}, "losses: unknown term"),
        ({"dim": 10**12}, r"AlignRec: dim=1000000000000 needs at least .*B of memory; this machine has .* available"),
        ({"dim": 10**30}, "dim"),
    ],
)
def test_impossible_settings(data, graph, settings, words):
    for make in (lambda: AlignRec.from_dataset(data, config=settings), lambda: AlignRec(graph, config=settings)):
        with pytest.raises(InputError, match=words):
            make()


@pytest.mark.parametrize("name", sorted(name for name in MODELS if "dim" in MODELS[name].config_class.model_fields))
def test_a_width_beyond_all_memory_is_refused_by_every_model(data, name):
    with pytest.raises(InputError, match="dim=1000000000000 needs at least"):
        MODELS[name].from_dataset(data, config={"dim": 10**12})


def test_memory_in_words():
    assert in_words(3_200_000_000_000) == "3.2 TB"
    with pytest.raises(InputError, match=r"^BPR: dim=9 needs at least 1e\+03 EB of memory"):
        check_memory({"dim=9": 10**21, "hidden=2": 10**3}, "BPR")
    for error in (
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ):
        with pytest.raises(InputError, match="training: not enough memory"), enough_memory("training"):
            raise error
    with pytest.raises(RuntimeError, match="something else"), enough_memory("training"):
        raise RuntimeError("something else")


def test_settings_are_dictionaries_or_objects(data, graph):
    assert AlignRec(graph, config={"dim": 8}).config == AlignRec(graph, config=AlignRecConfig(dim=8)).config
    assert fit(AlignRec(graph), data, {"epochs": 1}).epochs == 1
    for config in ("dim=8", 3, TrainingConfig()):
        with pytest.raises(InputError, match="AlignRec takes its settings as AlignRecConfig or a dictionary"):
            AlignRec(graph, config=config)


@pytest.mark.parametrize(
    ("features", "names"),
    [("image", ["image"]), (("text", "image"), ["text", "image"]), ({"image", "text"}, ["image", "text"])],
)
def test_features_in_any_form(data, graph, features, names):
    assert AlignRec.from_dataset(data, features).features == tuple(names)
    assert AlignRec(graph, features).features == tuple(names)
    assert AlignRec(graph, (name for name in names)).features == tuple(names)


def test_features_that_are_refused(data, graph):
    for features, words in (
        (["image", "image"], "'image' twice"),
        ([3], "got 3"),
        (7, "got 7"),
        ({"image": 1}, "got {"),
    ):
        for make in (lambda f=features: AlignRec(graph, f), lambda f=features: AlignRec.from_dataset(data, f)):
            with pytest.raises(InputError, match=words):
                make()
    with pytest.raises(InputError, match=r"from_dataset takes a Dataset; open it with Dataset.open"):
        AlignRec.from_dataset("folder")
    with pytest.raises(InputError, match="a seed must be a whole number"):
        AlignRec(graph, seed=1.5)


def test_losses_as_text_or_as_objects(graph):
    for losses in ("bpr + uia(0.1)", ["bpr", UIA(0.1)], [BPR(), UIA]):
        model = AlignRec(graph, losses=losses)
        assert model.config.losses == "bpr(1) + uia(0.1)"
    assert AlignRec(graph, losses=BPR()).config.losses == "bpr(1)"
    assert repr(parse_losses("bpr(1e+2)")) == "[bpr(100)]"
    for losses, words in (([], "no term"), (3, "got 3"), ([nn.Linear], "losses takes terms"), (["bpr", 3], "got 3")):
        with pytest.raises(InputError, match=words):
            AlignRec(graph, losses=losses)
    with pytest.raises(InputError, match=r"weight must be a number of at least 0 \(got -1\)"):
        UIA(-1)


def test_a_loss_of_ones_own_that_fails_is_one_line(data, graph):
    def broken(views, batch):
        return views.nothing

    with pytest.raises(InputError, match="loss term 'broken' failed: AttributeError"):
        fit(AlignRec(graph, losses=["bpr", broken]), data, {"epochs": 1})


class Nan(nn.Module):
    def forward(self, identity, content):
        return identity * math.nan


class NeedsTwo(nn.Module):
    def __init__(self, width, other):
        super().__init__()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"fusion": nn.Linear}, "fusion: making 'Linear' with the width alone failed"),
        ({"fusion": NeedsTwo}, "making 'NeedsTwo' with the width alone failed"),
        ({"fusion": nn.Identity()}, "fails on rows of width 64"),
        ({"fusion": lambda c, m: c[:, :2]}, r"must turn two \(3, 64\) into one"),
        ({"fusion": Nan}, "must return finite numbers"),
        ({"fusion": 3}, "a name, a class, a module or a function"),
        ({"user_item_conv": nn.Linear}, "fails on rows of width 64"),
        ({"user_item_conv": torch.relu}, "fails on rows of width 64"),
        ({"user_item_conv": lambda x, edge_index: x / 0.0 - x / 0.0}, "must return finite numbers"),
        ({"user_item_conv": nn.ModuleList}, "layer 'torch.nn.modules.container.ModuleList' fails"),
    ],
)
def test_parts_that_do_not_fit_are_refused_at_construction(graph, part, words):
    with pytest.raises(InputError, match=words):
        AlignRec(graph, **part)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dataset": "folder"}, r"fit takes a Dataset; open it with Dataset.open\(…\) \(got 'folder'\)"),
        ({"dataset": make_catalogue(61, 40, image_size=16)}, "the model is of 60 users, data set 'catalogue' has 61"),
        ({"config": "epochs=1"}, "fit takes settings as TrainingConfig or a dictionary"),
        ({"config": {"epoch": 1}}, r"unknown setting 'epoch' \(did you mean 'epochs'\?\)"),
        ({"config": {"epochs": 0}}, "epochs: .* greater than or equal to 1"),
        ({"config": {"batch_size": 2**31}}, "batch_size: .* less than"),
        ({"kernels": {"spmm": "none"}}, "spmm: allowed: auto"),
        ({"kernels": KernelConfig}, "fit takes settings as KernelConfig or a dictionary"),
        ({"protocol": 3}, r"unknown protocol \(got '3'\)"),
        ({"seed": -1}, "a seed must be a whole number of at least 0"),
        ({"seed": True}, "a seed must be a whole number of at least 0"),
        ({"out": 3}, r"out takes the path of a folder \(got 3\)"),
        ({"resume": True}, "resume continues the run in a folder"),
        ({"observers": [print]}, "an observer has the methods"),
        ({"observers": 3}, "an observer has the methods"),
    ],
)
def test_arguments_that_fit_refuses(data, arguments, words):
    model = AlignRec.from_dataset(data, config={"dim": 4})
    with pytest.raises(InputError, match=words):
        fit(model, **arguments)


def test_fit_of_no_model_and_without_a_data_set(graph):
    with pytest.raises(InputError, match=r"fit trains a model, a Recommender \(got 'alignrec'\)"):
        fit("alignrec")
    with pytest.raises(InputError, match="fit needs a data set"):
        fit(AlignRec(graph))
    with pytest.raises(InputError, match="made from a graph alone"):
        AlignRec(graph).recommend("user-0000")


def test_evaluators(data):
    tables = Embeddings(torch.ones(60, 2), torch.rand(40, 2))
    one = Evaluator(data, "test", "clean", 10)(tables)
    assert sorted(one.metrics) == ["map@10", "ndcg@10", "precision@10", "recall@10"]
    assert one.metrics == Evaluator(data.interactions, Split.TEST, cutoffs=[10])(tables).metrics
    for cutoffs in ((), 0, -1, 2.5, True, "20", (5, "x"), (5, 5), {5: 1}, None):
        with pytest.raises(InputError, match="cutoffs must be different whole numbers"):
            Evaluator(data, Split.TEST, cutoffs=cutoffs)
    for wrong in ("folder", None):
        with pytest.raises(InputError, match="takes the interactions of a data set"):
            Evaluator(wrong, Split.TEST)
    for broken, words in (
        (Embeddings(torch.ones(60, 2), torch.full((40, 2), math.nan)), "NaN or infinity in 40 rows"),
        (Embeddings(torch.ones(59, 2), torch.ones(40, 2)), "59 users and 40 items, the data set has 60 and 40"),
        (torch.ones(60, 2), "two tables are needed"),
    ):
        with pytest.raises(InputError, match=words):
            Evaluator(data, Split.TEST)(broken)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layers": "2"}, r"layers must be a whole number .* \(got '2'\)"),
        ({"layers": 2.5}, r"\(got 2.5\)"),
        ({"layers": True}, r"\(got True\)"),
        ({"layers": 10**9}, "layers must be a whole number of at most 100"),
        ({"user_item_conv": {}}, "name a layer for at least one edge type"),
        ({"user_item_conv": {3: "light"}}, r"an edge type is \(source, relation, target\)"),
        ({"user_item_conv": {"a__b__c": "light"}}, "no edge type 'a__b__c'; there are: user__interacts__item"),
        ({"user_item_conv": ["light", None]}, "a layer is a name"),
    ],
)
def test_layers_that_are_refused(graph, arguments, words):
    with pytest.raises(InputError, match=words):
        AlignRec(graph, **arguments)


def test_what_is_no_path_and_no_number(data):
    model = AlignRec.from_dataset(data, config={"dim": 4})
    for call in (model.save, data.save, type(data).open, load_top_items):
        for path in (3, None, b"folder"):
            with pytest.raises(InputError, match="path of a folder"):
                call(path)
    with pytest.raises(InputError, match="with_split takes a SplitConfig"):
        data.with_split("random")
    with pytest.raises(InputError, match="given as Features"):
        data.with_features(3)
    for sizes in ({"n_users": "60"}, {"n_items": 40.5}, {"image_size": True}, {"n_users": 10**12}, {"seed": -1}):
        with pytest.raises(InputError, match=f"a catalogue (takes|needs) {next(iter(sizes))}"):
            make_catalogue(**sizes)
