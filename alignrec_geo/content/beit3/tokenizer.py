"""The tokenizer of BEiT-3: a sentencepiece file under the rules of XLM-R."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from alignrec_geo.content.beit3.sentencepiece_file import CONTROL, UNKNOWN, Piece, read_sentencepiece
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
"""The special tokens; their ids are 0, 1, 2, 3 and the last."""

_SPACE = "▁"
_HEAD = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]


def load_beit3_tokenizer(path: Path, vocab_size: int = 64010, max_length: int = 1022) -> PreTrainedTokenizerFast:
    """Read the tokenizer of public BEiT-3 checkpoints, ``beit3.spm``.

    The id of a piece is its number in the file + 1, after ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2 and ``<unk>`` 3;
    ``<mask>`` comes last. Texts become ``<s> … </s>``. The file is read here, without the sentencepiece library:
    transformers 5 needs that library for it, and ``XLMRobertaTokenizer(vocab_file="beit3.spm")`` silently makes a
    tokenizer of five words.

    Args:
        path: the sentencepiece file.
        vocab_size: words the model has, ``Beit3Config.vocab_size``.
        max_length: the longest text in tokens, ``Beit3Config.max_text_tokens``.

    Raises:
        InputError: the file cannot be read, or its vocabulary has another size.

    Example:
        >>> from pathlib import Path
        >>> tokenizer = load_beit3_tokenizer(Path("beit3.spm"))  # doctest: +SKIP
        >>> batch = tokenizer(["a red mug"], padding=True, truncation=True, return_tensors="pt")  # doctest: +SKIP
    """
    stored = read_sentencepiece(path)
    if [(piece.text, piece.kind) for piece in stored.pieces[:3]] != _HEAD:
        found = ", ".join(piece.text for piece in stored.pieces[:3])
        raise InputError(f"{path}: the first pieces must be <unk>, <s>, </s> (got {found})")
    if len(stored.pieces) + 2 != vocab_size:
        raise InputError(
            f"{path}: makes {len(stored.pieces) + 2} words ({len(stored.pieces)} pieces, <pad> and <mask>); "
            f"the model has {vocab_size}"
        )
    with reading(path, "sentencepiece model"):
        return _wrap(_build(stored.pieces, stored.character_map), max_length)


def _build(pieces: list[Piece], character_map: bytes) -> Tokenizer:
    special = [(token, 0.0) for token in (BOS, PAD, EOS, UNK)]
    words = [(piece.text, piece.score) for piece in pieces[3:]]
    tokenizer = Tokenizer(Unigram([*special, *words, (MASK, 0.0)], unk_id=3, byte_fallback=False))
    if character_map:
        tokenizer.normalizer = normalizers.Precompiled(character_map)
    metaspace = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    tokenizer.decoder = decoders.Metaspace(replacement=_SPACE, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", pair=f"{BOS} $A {EOS} {EOS} $B {EOS}", special_tokens=[(BOS, 0), (EOS, 2)]
    )
    return tokenizer


def _wrap(tokenizer: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        bos_token=BOS,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        mask_token=MASK,
        cls_token=BOS,
        sep_token=EOS,
    )
