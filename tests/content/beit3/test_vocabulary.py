import pytest

from alignrec_geo.content.beit3.vocabulary import Beit3Vocabulary
from alignrec_geo.errors import InputError

TEXTS = ["A red mug, made of clay.", "A blue pen", "The clay mug is RED!", "Crème brûlée"]


def test_special_words_have_the_ids_of_public_checkpoints():
    words = Beit3Vocabulary.learn(TEXTS, 200)
    assert words.special == {0, 1, 2, 3, words.size - 1}
    ids, mask = words.batch(words.encode(TEXTS, 30))
    assert ids[:, 0].tolist() == [0] * 4
    assert [int(row[row_mask.sum() - 1]) for row, row_mask in zip(ids, mask, strict=True)] == [2] * 4
    assert ids[~mask].unique().tolist() == [1]


def test_the_same_texts_give_the_same_words():
    assert len({Beit3Vocabulary.learn(TEXTS * 5, 60).sha256 for _ in range(4)}) == 1


def test_case_and_accents_do_not_matter_and_unknown_letters_are_known_as_such():
    words = Beit3Vocabulary.learn(TEXTS, 200)
    first, second, unknown = words.encode(["Red MUG", "red mùg", "жук"], 30)
    assert first.tolist() == second.tolist()
    assert 3 in unknown


def test_marks_in_a_text_are_text():
    words = Beit3Vocabulary.learn(TEXTS, 200)
    found = words.encode(["a <mask> </s> mug"], 30)[0]
    assert words.size - 1 not in found
    assert found.tolist().count(2) == 1


def test_long_texts_keep_their_end():
    words = Beit3Vocabulary.learn(TEXTS, 200)
    whole, cut = words.encode(TEXTS[:1], 30)[0], words.encode(TEXTS[:1], 4)[0]
    assert cut.tolist() == [*whole[:3], 2]


def test_items_without_text_have_no_words():
    words = Beit3Vocabulary.learn(TEXTS, 200)
    ids, mask = words.batch(words.encode([None, None], 30))
    assert ids.tolist() == [[1], [1]]
    assert not mask.any()


def test_what_is_saved_is_loaded(tmp_path):
    words = Beit3Vocabulary.learn(TEXTS, 200)
    words.save(tmp_path)
    again = Beit3Vocabulary.load(tmp_path)
    assert again.sha256 == words.sha256
    assert again.encode(TEXTS, 30)[2].tolist() == words.encode(TEXTS, 30)[2].tolist()


def test_files_that_are_no_tokenizer_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Beit3Vocabulary.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(InputError, match="not a readable tokenizer"):
        Beit3Vocabulary.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text(
        '{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}'
    )
    with pytest.raises(InputError, match="must be words"):
        Beit3Vocabulary.load(tmp_path)


def test_texts_must_have_words_and_the_size_room_for_their_letters():
    with pytest.raises(InputError, match="these have no words"):
        Beit3Vocabulary.learn(["  ", ""], 100)
    with pytest.raises(InputError, match="the vocabulary cannot be 16"):
        Beit3Vocabulary.learn(["the quick brown fox jumps over the lazy dog"], 16)
