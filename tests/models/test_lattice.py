import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.models import LATTICE, Batch, LATTICEConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import toy_graph
from tests.models.golden_parity import GoldenParity

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


class TestKnownAnswers(KnownAnswers):
    """Cold items are not ranked for certain: as training goes on, their own rows, which nothing trains, count more."""

    model = LATTICE


class TestParity(GoldenParity):
    """All of the golden file: it holds the first batch of an epoch, where the reference too trains everything."""

    file = "LATTICE"
    names = {
        "user_embedding": "user_embedding.weight",
        "item_embedding": "item_id_embedding.weight",
        "modality_logits": "modal_weight",
        "encoder.tables.0": "image_embedding.weight",
        "encoder.tables.1": "text_embedding.weight",
        "encoder.layers.0.weight": "image_trs.weight",
        "encoder.layers.0.bias": "image_trs.bias",
        "encoder.layers.1.weight": "text_trs.weight",
        "encoder.layers.1.bias": "text_trs.bias",
    }

    def make(self):
        return LATTICE(toy_graph("image", "text"), ["image", "text"], LATTICEConfig(l2_weight=1e-3))


def dense_neighbours(rows: torch.Tensor, k: int, present: torch.Tensor) -> torch.Tensor:
    """Cosines of every row's best ``k`` columns, the others zero."""
    cosine = F.normalize(rows) @ F.normalize(rows).T
    best = cosine.masked_fill(~present, -torch.inf).topk(min(k, int(present.sum())), dim=1).indices
    kept = torch.zeros_like(cosine).scatter(1, best, 1.0)
    return cosine.clamp(min=0.0) * kept * present[:, None]


def normalised(graph: torch.Tensor) -> torch.Tensor:
    total = graph.sum(dim=1)
    scale = total.where(total > 0, 1.0).rsqrt()
    return scale[:, None] * graph * scale


def dense_item_graph(model: LATTICE, present: torch.Tensor) -> torch.Tensor:
    """The graph S with whole matrices; ``present`` is ``[M, I]``."""
    share, k = model.modality_logits.softmax(dim=0), model.config.k
    tables = [(layer(table), table) for layer, table in zip(model.encoder.layers, model.encoder.tables, strict=True)]
    learned = sum(a * dense_neighbours(rows, k, has) for a, (rows, _), has in zip(share, tables, present, strict=True))
    fixed = sum(
        a * normalised(dense_neighbours(x, k, has)) for a, (_, x), has in zip(share, tables, present, strict=True)
    )
    return (1 - model.config.fixed_share) * normalised(learned) + model.config.fixed_share * fixed


@pytest.mark.parametrize(
    ("modalities", "config"),
    [
        (("image", "text"), {"k": 5, "fixed_share": 0.6}),
        (("image", "text"), {"layers": 3, "item_layers": 2, "k": 4}),
        (("text",), {"k": 100, "fixed_share": 0.0}),
    ],
)
def test_tables_equal_the_dense_formulas(modalities, config):
    model = LATTICE(toy_graph(*modalities), modalities, LATTICEConfig(**config))
    with torch.no_grad():
        model.modality_logits += torch.arange(len(modalities))
    adjacency = torch.eye(100)
    adjacency[model.pairs[0], model.pairs[1] + 60] = adjacency[model.pairs[1] + 60, model.pairs[0]] = 1.0
    mean = adjacency / adjacency.sum(dim=1, keepdim=True)
    step = table = torch.cat([model.user_embedding, model.item_embedding])
    for _ in range(model.config.layers):
        step = mean @ step
        table = table + step
    users, items = (table / (model.config.layers + 1)).split([60, 40])
    h = (
        torch.linalg.matrix_power(
            dense_item_graph(model, torch.ones(len(modalities), 40, dtype=torch.bool)), model.config.item_layers
        )
        @ model.item_embedding
    )
    ours = model.encode()
    torch.testing.assert_close(ours.users, users)
    torch.testing.assert_close(ours.items, items + F.normalize(h))


def test_missing_modalities():
    data = toy_graph("image", "text")
    data["item"].has_image[[1, 2]] = False
    data["item"].has_text[[2, 3]] = False
    model = LATTICE(data, config=LATTICEConfig(k=6))
    present = torch.stack([data["item"].has_image, data["item"].has_text])
    expected = dense_item_graph(model, present) @ model.item_embedding
    torch.testing.assert_close(model.item_propagation(), expected)
    assert not model.item_propagation()[2].any()
    model.train()
    before = model.loss(BATCH)
    sum(before.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert not model.encoder.tables[0].grad[[1, 2]].any()
    with torch.no_grad():
        model.encoder.tables[0][[1, 2]] += 5.0  # what stands in a missing row must not matter
    model.start_epoch(0, torch.Generator())
    for name, value in model.loss(BATCH).items():
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize("fixed_share", [0.0, 1.0])
def test_a_modality_that_no_item_has_changes_nothing(fixed_share):
    data, config = toy_graph("image", "text"), LATTICEConfig(fixed_share=fixed_share)
    data["item"].has_text[:] = False
    both, image = LATTICE(data, ["image", "text"], config), LATTICE(data, ["image"], config)
    # its share of the logits scales the whole item graph, which the unit rows undo
    torch.testing.assert_close(torch.cat(both.embeddings()), torch.cat(image.embeddings()))


def test_neighbours_stay_for_an_epoch_and_cosines_do_not():
    model = LATTICE(toy_graph("image", "text")).train()
    model.loss(BATCH)
    neighbours = model.neighbours
    first = model.loss(BATCH)["bpr"]
    with torch.no_grad():
        for layer in model.encoder.layers:
            layer.weight.copy_(layer.weight.flip(0) * torch.linspace(-1, 1, layer.weight.shape[1]))
    second = model.loss(BATCH)["bpr"]
    assert model.neighbours is neighbours
    assert first != second
    evaluated = torch.cat(model.embeddings())
    assert model.neighbours is neighbours
    model.start_epoch(1, torch.Generator())
    model.loss(BATCH)
    found = model.neighbours
    assert any(not torch.equal(old.col, new.col) for old, new in zip(neighbours, found, strict=True))
    torch.testing.assert_close(torch.cat(model.encode()), evaluated)  # evaluation had looked for them anew


def test_every_batch_trains_projections_features_and_logits():
    model = LATTICE(toy_graph("image", "text")).train()
    for _ in range(2):
        model.zero_grad()
        model.loss(BATCH)["bpr"].backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad.any(), name


def test_items_and_users_without_a_pair():
    data = toy_graph("image", "text")
    pairs = data[INTERACTS].edge_index
    data[INTERACTS].edge_index = pairs[:, (pairs[0] != 7) & (pairs[1] != 3)]
    model = LATTICE(data)
    users, items = model.encode()
    torch.testing.assert_close(users[7], model.user_embedding[7])
    torch.testing.assert_close(items[3], model.item_embedding[3] + F.normalize(model.item_propagation())[3])


def test_the_neighbours_are_cast_and_moved_with_the_model():
    model = LATTICE(toy_graph("image", "text")).train()
    expected = torch.cat(model.embeddings()).double()
    model.loss(BATCH)
    assert isinstance(model.neighbours[0], EdgePattern)
    before = model.neighbours[0].col.clone()
    model.double()
    assert model.neighbours[0].csr.matrix.dtype == torch.float64
    assert torch.equal(model.neighbours[0].col, before)
    assert all(term.dtype == torch.float64 for term in model.loss(BATCH).values())
    torch.testing.assert_close(torch.cat(model.embeddings()), expected, rtol=1e-4, atol=1e-5)


def test_frozen_features():
    model = LATTICE(toy_graph("image", "text"), config=LATTICEConfig(train_features=False)).train()
    sum(model.loss(BATCH).values()).backward()
    assert all(table.grad is None for table in model.encoder.tables)
    assert model.encoder.layers[0].weight.grad.any()


def test_errors_and_repr():
    with pytest.raises(InputError, match="at least one feature matrix"):
        LATTICE(toy_graph(), features=[])
    with pytest.raises(InputError, match="fixed_share"):
        LATTICEConfig(fixed_share=1.5)
    assert repr(LATTICE(toy_graph())) == "LATTICE(users=60, items=40, features=['image'])"
