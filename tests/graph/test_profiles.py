import torch

from alignrec_geo.graph.modalities import Modality
from alignrec_geo.graph.profiles import content_profiles, unit_content
from alignrec_geo.kernels.csr import CSR


def test_unit_content_ignores_missing_rows_and_centres_each_modality():
    a = Modality("a", torch.tensor([[1.0, 2.0], [3.0, 2.0], [9.0, 9.0]]), torch.tensor([True, True, False]))
    b = Modality("b", torch.tensor([[1.0], [2.0], [6.0]]), torch.ones(3, dtype=torch.bool))
    whole = unit_content([a, b], centre=True)
    expected = torch.tensor([[-1.0, 0.0, -2.0], [1.0, 0.0, -1.0], [0.0, 0.0, 3.0]])
    torch.testing.assert_close(whole, expected / expected.norm(dim=1, keepdim=True))
    alone = unit_content([a], centre=False)
    torch.testing.assert_close(alone.norm(dim=1), torch.tensor([1.0, 1.0, 0.0]))


def test_profiles_are_the_direction_of_the_mean():
    content = torch.eye(3)
    history = CSR.pattern(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2]), (3, 3))
    users, items = content_profiles(history, content)
    torch.testing.assert_close(users, torch.tensor([[0.5**0.5, 0.5**0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    assert items is content
