import struct

import pytest
import torch

from alignrec_geo.content.beit3.tokenizer import load_beit3_tokenizer
from alignrec_geo.content.beit3.vocabulary import Beit3Vocabulary
from alignrec_geo.errors import InputError

PIECES = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
PIECES += [(piece, score, 1) for piece, score in [("▁a", -2.0), ("▁red", -3.0), ("▁mug", -4.0), ("s", -2.5)]]
PIECES += [(piece, -8.0, 1) for piece in ("▁", "a", "r", "e", "d", "m", "u", "g")]


def field(number: int, value: bytes | int | float) -> bytes:
    """One field of a protocol-buffer message; numbers and lengths below 2^14."""

    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])

    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def model_file(path, pieces=PIECES, model_type=1):
    blob = b"".join(
        field(1, field(1, text.encode()) + field(2, score) + field(3, kind)) for text, score, kind in pieces
    )
    path.write_bytes(blob + field(2, field(1, b"corpus.txt") + field(3, model_type) + field(4, 8000)) + field(3, b""))
    return path


def test_ids_are_pieces_plus_one_and_special_tokens_are_where_xlm_r_has_them(tmp_path):
    size = len(PIECES) + 2
    tokenizer = load_beit3_tokenizer(model_file(tmp_path / "beit3.spm"), vocab_size=size)
    assert len(tokenizer) == size
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert tokenizer.convert_tokens_to_ids(special) == [0, 1, 2, 3, size - 1]
    for number, (piece, _, _) in enumerate(PIECES[3:], start=3):
        assert tokenizer.convert_tokens_to_ids(piece) == number + 1
    assert tokenizer("a red  mugs")["input_ids"] == [0, 4, 5, 6, 7, 2]
    assert tokenizer.tokenize("red gum") == ["▁red", "▁", "g", "u", "m"]
    assert tokenizer("a Z")["input_ids"] == [0, 4, 11 - 3, 3, 2]
    assert tokenizer.decode([0, 4, 5, 6, 7, 2], skip_special_tokens=True) == "a red mugs"
    assert tokenizer.mask_token_id == size - 1
    assert set(tokenizer.all_special_ids) == {0, 1, 2, 3, size - 1}


def test_batches_are_padded_and_cut(tmp_path):
    tokenizer = load_beit3_tokenizer(model_file(tmp_path / "beit3.spm"), vocab_size=len(PIECES) + 2, max_length=4)
    batch = tokenizer(["a", "red mug mug mug"], padding=True, truncation=True, return_tensors="pt")
    assert torch.equal(batch["input_ids"], torch.tensor([[0, 4, 2, 1], [0, 5, 6, 2]]))
    assert torch.equal(batch["attention_mask"], torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]))


def test_reads_what_the_official_message_classes_write(tmp_path):
    pytest.importorskip("google.protobuf")
    from transformers.utils import sentencepiece_model_pb2_new as official

    proto = official.ModelProto()
    for text, score, kind in PIECES:
        proto.pieces.add(piece=text, score=score, type=kind)
    proto.trainer_spec.vocab_size = 70_000
    proto.trainer_spec.model_type = 1
    proto.trainer_spec.unk_id = 0
    proto.trainer_spec.self_test_sample_size = 300
    proto.normalizer_spec.name = "nmt_nfkc"
    path = tmp_path / "official.spm"
    path.write_bytes(proto.SerializeToString())
    tokenizer = load_beit3_tokenizer(path, vocab_size=len(PIECES) + 2)
    assert tokenizer("a red mugs")["input_ids"] == [0, 4, 5, 6, 7, 2]


def test_saved_tokenizer_is_the_same(tmp_path):
    from transformers import PreTrainedTokenizerFast

    tokenizer = load_beit3_tokenizer(model_file(tmp_path / "beit3.spm"), vocab_size=len(PIECES) + 2)
    tokenizer.save_pretrained(tmp_path / "folder")
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path / "folder")
    assert again("a red <mask>")["input_ids"] == tokenizer("a red <mask>")["input_ids"] == [0, 4, 5, 16, 2]


def test_files_that_are_refused(tmp_path):
    good = model_file(tmp_path / "good.spm").read_bytes()
    with pytest.raises(InputError, match=r"makes 17 words \(15 pieces, <pad> and <mask>\); the model has 64010"):
        load_beit3_tokenizer(tmp_path / "good.spm")
    (tmp_path / "cut.spm").write_bytes(good[:-1])
    with pytest.raises(InputError, match="not a readable sentencepiece model"):
        load_beit3_tokenizer(tmp_path / "cut.spm", 17)
    (tmp_path / "text.spm").write_text("just words, nothing else\n")
    with pytest.raises(InputError, match="sentencepiece model"):
        load_beit3_tokenizer(tmp_path / "text.spm", 17)
    (tmp_path / "empty.spm").write_bytes(b"")
    with pytest.raises(InputError, match="no pieces"):
        load_beit3_tokenizer(tmp_path / "empty.spm", 17)
    with pytest.raises(InputError, match="no such file"):
        load_beit3_tokenizer(tmp_path / "none.spm", 17)
    with pytest.raises(InputError, match=r"must be a unigram model, type 1 .got type 2"):
        load_beit3_tokenizer(model_file(tmp_path / "bpe.spm", model_type=2), 17)
    with pytest.raises(InputError, match=r"first pieces must be <unk>, <s>, </s> .got <s>, <unk>, </s>"):
        load_beit3_tokenizer(model_file(tmp_path / "order.spm", [PIECES[1], PIECES[0], *PIECES[2:]]), 17)


@pytest.mark.parametrize(
    "content", [b"\xff" * 1_000_000, b"\x0a\x05\x15" + b"\x00\x00\xc0\x7f", b"\x0a\x03\x0a\x01\xff"]
)
def test_numbers_and_texts_that_cannot_be_are_refused(tmp_path, content):
    (tmp_path / "x.spm").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.spm: not a readable sentencepiece model"):
        load_beit3_tokenizer(tmp_path / "x.spm")


def test_fields_that_are_not_asked_for_are_skipped(tmp_path):
    blob = model_file(tmp_path / "beit3.spm").read_bytes()
    fixed = bytes([9 << 3 | 1]) + struct.pack("<d", 2.5)  # eight bytes
    (tmp_path / "more.spm").write_bytes(fixed + blob + field(3, field(1, b"name") + field(3, 1)) + field(7, b"x"))
    tokenizer = load_beit3_tokenizer(tmp_path / "more.spm", vocab_size=len(PIECES) + 2)
    assert tokenizer("a red mugs")["input_ids"] == [0, 4, 5, 6, 7, 2]
    (tmp_path / "odd.spm").write_bytes(blob + bytes([9 << 3 | 3]))  # a group, of which no such file has any
    with pytest.raises(InputError, match="not a readable sentencepiece model"):
        load_beit3_tokenizer(tmp_path / "odd.spm", vocab_size=len(PIECES) + 2)


def test_the_words_of_a_checkpoint(tmp_path):
    words = Beit3Vocabulary.of_checkpoint(model_file(tmp_path / "beit3.spm"), len(PIECES) + 2)
    assert words.size == len(PIECES) + 2
