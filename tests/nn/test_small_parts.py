"""Parts that every model is made of: initial values, dropout, encoders of features, settings from objects."""

import pytest
import torch
from pydantic import BaseModel
from torch import nn
from torch_geometric.nn import SAGEConv

from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.nn.bipartite import BipartitePropagation
from alignrec_geo.nn.dropout import Dropout
from alignrec_geo.nn.fusion import MeanFusion
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.losses import CCA, SampledSoftmax, SymmetricInfoNCE
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.nn.overrides import apply_overrides
from alignrec_geo.nn.penalties import norm_penalty, square_penalty


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("kind", "largest", "deviation"),
    [
        ("uniform", 100**-0.5, 100**-0.5 / 3**0.5),
        ("xavier_uniform", (6 / 400) ** 0.5, (2 / 400) ** 0.5),
        ("xavier_normal", None, (2 / 400) ** 0.5),
    ],
)
def test_initial_values_have_the_size_of_their_rule(kind, largest, deviation):
    layer, table = linear(100, 300), torch.empty(300, 100)
    init_linear(layer, draw(), weight=kind)
    init_xavier(table, draw(), kind)
    for weight in (layer.weight.detach(), table):
        assert float(weight.std()) == pytest.approx(deviation, rel=0.02)
        assert float(weight.mean()) == pytest.approx(0.0, abs=0.05 * deviation)
        if largest is not None:
            assert 0.99 * largest < float(weight.abs().max()) <= largest
            assert float(weight.min()) < -0.99 * largest
    assert 0.9 * 0.1 < float(layer.bias.detach().abs().max()) <= 0.1  # 100 inputs
    assert float(layer.bias.detach().min()) < 0
    init_linear(layer, draw(), bias="zeros")
    assert not layer.bias.any()
    bare = linear(3, 2, bias=False)
    init_linear(bare, draw())
    assert bare.bias is None


def test_initial_values_are_those_that_torch_draws():
    torch.manual_seed(3)
    with torch.random.fork_rng():
        plain = nn.Linear(7, 5)
    ours = linear(7, 5)
    init_linear(ours, draw(3))
    assert torch.equal(ours.weight, plain.weight)
    assert torch.equal(ours.bias, plain.bias)


def test_dropout_keeps_the_mean_drops_only_in_training_and_follows_its_stream():
    x = torch.ones(200, 100)
    layer = Dropout(0.25, seed=1)
    dropped = layer(x)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(layer(x), dropped)  # the stream goes on
    assert torch.equal(Dropout(0.25, seed=1)(x), dropped)
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    first, second, other = Dropout(0.25, 4), Dropout(0.25, 5), Dropout(0.25, 5)
    first.reseed(draw(7))
    second.reseed(draw(7))
    other.reseed(draw(8))
    assert torch.equal(first(x), second(x))
    assert not torch.equal(first(x), other(x))


def test_items_without_a_modality_get_zero_rows_and_pass_no_gradient():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    parts = [
        Modality("image", x, torch.tensor([True, False, True])),
        Modality("text", x, torch.ones(3, dtype=torch.bool)),
    ]
    layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    encoder = ModalityEncoder(parts, layers, trainable=True)
    image, text = encoder()
    torch.testing.assert_close(image[[0, 2]], layers[0](x)[[0, 2]])
    assert image[1].tolist() == [0.0, 0.0]  # not even the bias
    torch.testing.assert_close(text, layers[1](x))
    image.sum().backward()
    assert encoder.tables[0].grad[1].tolist() == [0.0, 0.0]
    assert [encoder.present(number).tolist() for number in (0, 1)] == [[True, False, True], [True] * 3]
    assert not any("mask" in name for name in encoder.state_dict())  # made from the data, not stored
    assert not any(table.requires_grad for table in ModalityEncoder(parts, layers).tables)
    with pytest.raises(ValueError, match="one layer per modality"):
        ModalityEncoder(parts, layers[:1])


class Settings(BaseModel):
    layers: int = 2
    user_item_conv: object = "light"
    fusion: object = "sum"


def test_objects_stand_in_the_settings_by_what_names_them():
    assert apply_overrides(Settings()) == (Settings(), {})
    given = apply_overrides(Settings(), fusion=MeanFusion, user_item_conv=None)[1]
    assert given == {"fusion": MeanFusion, "user_item_conv": "light"}  # as given, else as configured
    assert apply_overrides(Settings(), fusion=MeanFusion)[0].fusion == "alignrec_geo.nn.fusion.MeanFusion"
    assert apply_overrides(Settings(), user_item_conv=None, fusion=None)[0] == Settings()
    listed = apply_overrides(Settings(), user_item_conv=["light", SAGEConv, "gcn"])[0]
    assert listed.layers == 3
    assert listed.user_item_conv == ["light", "torch_geometric.nn.conv.sage_conv.SAGEConv", "gcn"]
    assert apply_overrides(Settings(), user_item_conv="light")[0].layers == 2
    assert apply_overrides(Settings(), 5, user_item_conv=["light"])[0].layers == 5
    assert apply_overrides(Settings(), 0)[0].layers == 0
    by_edge = apply_overrides(Settings(), user_item_conv={("user", "likes", "item"): "gcn", "a__b__c": "sage"})[0]
    assert by_edge.user_item_conv == {"user__likes__item": "gcn", "a__b__c": "sage"}
    assert by_edge.layers == 2
    with pytest.raises(InputError, match="layers must be at least 0"):
        apply_overrides(Settings(), -1)


def test_one_layer_carries_content_over():
    assert BipartitePropagation(["light"], 4).crossing.layer.plain
    with pytest.raises(InputError, match="user_conv: 2 layers were given for 1"):
        BipartitePropagation(["light", "light"], 4)


@pytest.mark.parametrize("kind", [CCA, SampledSoftmax, SymmetricInfoNCE])
def test_a_temperature_is_above_zero_and_a_weight_may_be_zero(kind):
    assert repr(kind(0.0, 0.5)) == f"{kind.name}(0, 0.5)"
    with pytest.raises(InputError, match="temperature"):
        kind(1.0, 0.0)
    with pytest.raises(InputError, match="weight"):
        kind(-0.5, 0.5)


def test_penalties_by_hand():
    first, second = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    assert float(norm_penalty(first, second)) == (5.0 + 2.0) / 2
    assert float(square_penalty(first, second, divisor=4.0)) == (25.0 + 4.0) / (2 * 4)
    assert float(square_penalty(first)) == 12.5


def test_parts_say_what_they_are():
    assert repr(Dropout(0.25)) == "Dropout(p=0.25)"
