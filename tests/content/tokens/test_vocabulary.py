import numpy as np
import pytest
import torch

from alignrec_geo.content.tokens.vocabulary import Vocabulary
from alignrec_geo.errors import InputError

IDS, OFFSETS = np.array([0, 5, 6, 5, 1, 0, 5, 7, 1, 0, 9, 1]), np.array([0, 5, 9, 12])


def test_only_words_of_several_texts_are_counted():
    words = Vocabulary.count(IDS, OFFSETS, special=[0, 1], least=2)
    assert words.ids.tolist() == [5]
    assert words.weight.tolist() == pytest.approx([np.log(3 / 2)])
    assert len(Vocabulary.count(IDS, OFFSETS, special=[0, 1], least=1)) == 4


def test_bags_hold_a_word_once_and_sum_to_one():
    words = Vocabulary.count(IDS, OFFSETS, special=[0, 1], least=1)
    ids = torch.tensor([[0, 5, 6, 5, 1], [0, 7, 1, 5, 5], [0, 1, 99, 99, 99]])
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] * 5])
    bags = words.bags(ids, mask)
    five, six = words.weight[0], words.weight[1]
    assert bags[0].tolist() == pytest.approx([float(five / (five + six)), float(six / (five + six)), 0.0, 0.0])
    assert bags[1].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert not bags[2].any()


def test_too_few_texts():
    with pytest.raises(InputError, match="no word occurs in 4 texts"):
        Vocabulary.count(IDS, OFFSETS, special=[], least=4)
