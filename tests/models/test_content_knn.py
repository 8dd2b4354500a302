import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import HeteroData

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import ContentKNN, ContentKNNConfig
from alignrec_geo.testing import KnownAnswers, parity_by_content
from alignrec_geo.training import fit
from tests.golden_numbers import toy_graph


class TestKnownAnswers(KnownAnswers):
    model = ContentKNN
    learns_ids = False
    ranks_cold_items = True
    # there are no parameters
    test_gradients_reach_every_parameter = None
    test_same_seed_same_parameters_and_the_global_generator_is_left_alone = None


def plain_scores(data: HeteroData, parts: list[torch.Tensor], centre: bool) -> torch.Tensor:
    """The zero-shot formula user by user, in double precision."""
    parts = [part.double() - part.double().mean(0) if centre else part.double() for part in parts]
    x = torch.cat(parts, dim=1)
    user, item = data[INTERACTS].edge_index
    rows = []
    for row in range(data["user"].num_nodes):
        own = x[item[user == row]]
        profile = (own / own.norm(dim=1, keepdim=True)).mean(0)
        rows.append(F.cosine_similarity(profile[None], x))
    return torch.stack(rows)


@pytest.mark.parametrize("centre", [True, False])
def test_scores_are_the_plain_formula(centre):
    data = toy_graph("image", "text")
    image, text = data["item"].x_image, data["item"].x_text
    unit = [F.normalize(image, dim=1), F.normalize(text, dim=1)]
    for features, scaling, parts in (
        (["image"], "auto", [image]),
        (["image"], "row", unit[:1]),
        (["image", "text"], "auto", unit),
        (["text", "image"], "none", [text, image]),
    ):
        model = ContentKNN(data, features, ContentKNNConfig(centre=centre, feature_scaling=scaling))
        users, items = model.embeddings()
        np.testing.assert_allclose(users @ items.T, plain_scores(data, parts, centre), atol=1e-6)


def test_a_common_direction_hides_the_differences_unless_it_is_subtracted():
    data = toy_graph()
    plain = ContentKNN(data).embeddings()
    data["item"].x_image += 100.0
    shifted = ContentKNN(data).embeddings()
    raw = ContentKNN(data, config=ContentKNNConfig(centre=False)).embeddings()
    np.testing.assert_allclose(shifted.users @ shifted.items.T, plain.users @ plain.items.T, atol=1e-3)
    assert float((raw.users @ raw.items.T).min()) > 0.99


@pytest.mark.parametrize("centre", [True, False])
def test_items_without_content_score_zero_and_are_in_nobodys_profile(centre):
    data, without = toy_graph("image", "text"), toy_graph("image", "text")
    gone = torch.tensor([1, 2])
    for name in ("image", "text"):
        data["item"][f"has_{name}"][gone] = False
        data["item"][f"x_{name}"][gone] = float("nan")  # what stands in a missing row must not matter
        kept = torch.ones(40, dtype=torch.bool).index_fill(0, gone, False)
        without["item"][f"x_{name}"] = data["item"][f"x_{name}"][kept]
        without["item"][f"has_{name}"] = data["item"][f"has_{name}"][kept]
    user, item = without[INTERACTS].edge_index
    edges = ~torch.isin(item, gone)
    without[INTERACTS].edge_index = torch.stack([user[edges], (kept.cumsum(0) - 1)[item[edges]]])
    without["item"].num_nodes = 38
    config = ContentKNNConfig(centre=centre)
    users, items = ContentKNN(data, config=config).embeddings()
    scores = users @ items.T
    assert not scores[:, gone].any()
    expected = ContentKNN(without, config=config).embeddings()
    np.testing.assert_allclose(scores[:, kept], expected.users @ expected.items.T, atol=1e-6)


def test_a_missing_modality_is_zero_and_not_in_the_mean():
    data = toy_graph("image", "text")
    data["item"].has_image[:10] = False
    image = F.normalize(data["item"].x_image, dim=1)
    image = (image - image[10:].mean(0)).index_fill(0, torch.arange(10), 0.0)
    text = F.normalize(data["item"].x_text, dim=1)
    expected = F.normalize(torch.cat([image, text - text.mean(0)], dim=1), dim=1)
    torch.testing.assert_close(ContentKNN(data).embeddings().items, expected)


def test_a_user_without_training_items_scores_zero():
    data = toy_graph()
    user, _ = data[INTERACTS].edge_index
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, user != 2]
    users, _ = ContentKNN(data).embeddings()
    assert not users[2].any()
    assert users.norm(dim=1)[3] == pytest.approx(1.0)


def test_nothing_is_trained(tmp_path):
    model = ContentKNN.from_dataset(parity_by_content(), features=["signal"])
    result = fit(model, out=tmp_path / "run")
    assert result.epochs == 0
    assert result.metrics["ndcg@10"] > fit(ContentKNN.from_dataset(model.dataset, ["noise"])).metrics["ndcg@10"]


def test_errors_and_repr():
    with pytest.raises(InputError, match=r"ContentKNN needs at least one feature matrix \(got none\)"):
        ContentKNN(toy_graph(), features=[])
    assert repr(ContentKNN(toy_graph())) == "ContentKNN(users=60, items=40, features=['image'])"
