"""Every term equals its plain formula, reads back from its text, and appears by its name."""

import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.uniformity import uniformity
from alignrec_geo.kernels.unique import unique_with_counts
from alignrec_geo.models import Batch
from alignrec_geo.nn.loss_list import describe_losses, loss_terms, parse_losses
from alignrec_geo.nn.losses import BPR, CCA, LOSSES, UIA, DirectAU, SampledSoftmax, SymmetricInfoNCE
from alignrec_geo.nn.views import BatchViews, ContentViews, Rows

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 1]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


def views(content=True):
    draw = torch.Generator().manual_seed(0)
    users, items, other_users, other_items = torch.randn(4, 40, 6, generator=draw, dtype=torch.float64)

    def branch(user, item):
        return Rows(user[BATCH.users], item[BATCH.positives], item[BATCH.negatives])

    identity, rows = branch(users, items), branch(other_users, other_items)
    fused = Rows(*(c + m for c, m in zip(identity, rows, strict=True))) if content else identity
    pair = triplet_loss(*fused, BATCH.nominal_size)
    sides = ContentViews(
        rows,
        unique_with_counts(BATCH.users),
        unique_with_counts(BATCH.positives),
        lambda chosen: F.normalize(items[chosen], dim=1),
    )
    return BatchViews(identity, fused, pair, sides if content else None)


@pytest.mark.parametrize("count", [2, 40, 700])
def test_uniformity_and_its_gradient_equal_the_plain_formula(count):
    rows = torch.randn(count, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    ours, plain = uniformity(rows), torch.pdist(F.normalize(rows, dim=1)).square().mul(-2).exp().mean().log()
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(torch.autograd.grad(3 * ours, rows), torch.autograd.grad(3 * plain, rows))
    assert float(uniformity(rows[:1]).detach()) == 0.0


def test_directau_equals_the_plain_formulas():
    rows = views()
    terms = DirectAU(0.5, 3.0)(rows, BATCH)
    user, item = F.normalize(rows.fused.user, dim=1), F.normalize(rows.fused.positive, dim=1)
    torch.testing.assert_close(terms["alignment"], 0.5 * (user - item).square().sum(dim=1).mean())
    spread = [torch.pdist(part).square().mul(-2).exp().mean().log() for part in (user, item)]
    torch.testing.assert_close(terms["uniformity"], 0.5 * 3.0 * (spread[0] + spread[1]) / 2)


def test_sampled_softmax_leaves_other_occurrences_of_the_positive_out():
    rows = views()
    logits = F.normalize(rows.fused.user, dim=1) @ F.normalize(rows.fused.positive, dim=1).T / 0.3
    logits[0, 3] = logits[3, 0] = -torch.inf  # item 1 twice
    expected = 2.0 * F.cross_entropy(logits, torch.arange(4))
    torch.testing.assert_close(SampledSoftmax(2.0, 0.3)(rows, BATCH), expected)


def test_symmetric_infonce_is_the_mean_of_both_directions():
    rows = views()
    assert rows.content is not None
    turned = rows._replace(identity=rows.content.rows, content=rows.content._replace(rows=rows.identity))
    both = (CCA(1.0, 0.3)(rows, BATCH) + CCA(1.0, 0.3)(turned, BATCH)) / 2
    torch.testing.assert_close(SymmetricInfoNCE(1.0, 0.3)(rows, BATCH), both)


def test_text_and_terms_are_the_same():
    text = "bpr(1) + l2(0.0001) + uia(0.1) + cca(0.01, 0.2) + reg(0.1) + directau(1, 0.5)"
    assert describe_losses(parse_losses(text)) == text
    assert describe_losses(parse_losses("bpr + sampled_softmax")) == "bpr(1) + sampled_softmax(1, 0.2)"


def test_terms_without_numbers_have_those_of_their_papers():
    got = describe_losses(parse_losses("bpr+l2+uia+cca+reg+sampled_softmax+directau+symmetric_infonce"))
    assert got == (
        "bpr(1) + l2(0.0001) + uia(0.1) + cca(0.01, 0.2) + reg(0.1) + sampled_softmax(1, 0.2) + directau(1, 1) + "
        "symmetric_infonce(0.01, 0.2)"
    )


def margin(rows, batch):
    """A reader's own."""
    return (1.0 - (rows.fused.user * (rows.fused.positive - rows.fused.negative)).sum(dim=1)).clamp(min=0).mean()


def test_every_term_has_its_name_and_repeated_ones_a_number():
    terms = loss_terms([BPR(), UIA(0.1), UIA(0.2), DirectAU(), margin], views(), BATCH)
    assert list(terms) == ["bpr", "uia", "uia_2", "alignment", "uniformity", "margin"]
    torch.testing.assert_close(terms["uia_2"], 2 * terms["uia"])
    assert describe_losses([BPR(), margin]) == "bpr(1) + <margin>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bpp", r"unknown term \(got 'bpp'\)"),
        ("bpr + <margin>", r"unknown term \(got '<margin>'\)"),
        ("uia(1, 2)", r"uia takes numbers: weight \(got 'uia\(1, 2\)'\)"),
        ("cca(x)", "cca takes numbers: weight, temperature"),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(InputError, match=message):
        parse_losses(text)


def test_only_terms_about_content_ask_for_it():
    asks = {name for name, kind in LOSSES.items() if kind.needs_content}
    assert asks == {"cca", "reg", "symmetric_infonce"}
    for name, kind in LOSSES.items():
        if name not in asks:
            loss_terms([kind()], views(content=False), BATCH)
            continue
        with pytest.raises(InputError, match="the model has no features"):
            loss_terms([kind()], views(content=False), BATCH)


def test_bad_terms():
    with pytest.raises(InputError, match=r"loss term '<lambda>' must be a scalar tensor \(got shape \(4, 6\)\)"):
        loss_terms([lambda rows, batch: rows.fused.user], views(), BATCH)
    with pytest.raises(InputError, match="the model has no features"):
        loss_terms([CCA()], views(content=False), BATCH)


def test_whose_fault_a_failing_term_is():
    """A user's own is named; one of the package's, or what it says itself, is passed on as it is."""

    def fails(rows, batch):
        raise KeyError("margin")

    def refuses(rows, batch):
        raise InputError("the batch is too small")

    with pytest.raises(InputError, match=r"^loss term 'fails' failed: KeyError: 'margin'$"):
        loss_terms([fails], views(), BATCH)
    with pytest.raises(InputError, match=r"^the batch is too small$"):
        loss_terms([refuses], views(), BATCH)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'bpr'"):
        loss_terms([LOSSES["bpr"]()], views()._replace(pair=None), BATCH)
