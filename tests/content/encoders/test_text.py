import json
import os

import pytest
import torch
from transformers import BertModel

from alignrec_geo.content.encoders import open_text_encoder
from alignrec_geo.content.encoders.folder import check_folder
from alignrec_geo.content.encoders.text import TransformerTextEncoder
from alignrec_geo.errors import InputError
from tests.content.encoders.tiny_encoders import text_folder

TEXTS = ["a red mug .", "pen"]


def configure(folder, pooling=None, unit=False, longest=None):
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if unit:
        parts = [{"type": "sentence_transformers.models.Normalize"}]
        (folder / "modules.json").write_text(json.dumps(parts))
    if longest is not None:
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest}))
    return folder


def test_a_vector_is_the_mean_of_the_token_states(tmp_path):
    folder = text_folder(tmp_path / "bert")
    encoder = open_text_encoder(str(folder))
    assert (encoder.name, encoder.width, encoder.token_width) == ("bert", 8, 8)
    ids = encoder.tokenize(TEXTS)
    assert [len(text) for text in ids] == [6, 3]  # with [CLS] and [SEP]
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    out = encoder.encode(ids)
    for row, text in enumerate(ids):
        alone = model(input_ids=torch.tensor([text])).last_hidden_state[0]
        torch.testing.assert_close(out.states[row, : len(text)], alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(out.pooled[row], alone.mean(dim=0), atol=1e-5, rtol=1e-5)
    assert out.mask.sum(dim=1).tolist() == [6, 3]


def test_pooling_and_length_come_from_the_folder(tmp_path):
    folder = configure(text_folder(tmp_path / "bert"), {"pooling_mode_cls_token": True}, unit=True, longest=4)
    encoder = TransformerTextEncoder(folder, name="mine")
    ids = encoder.tokenize(TEXTS)
    assert encoder.name == "mine"
    assert [len(text) for text in ids] == [4, 3]
    out = encoder.encode(ids)
    torch.testing.assert_close(out.pooled.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(out.pooled, torch.nn.functional.normalize(out.states[:, 0], dim=1))


def test_other_weights_have_another_fingerprint(tmp_path):
    prints = {open_text_encoder(str(text_folder(tmp_path / str(seed), seed))).fingerprint for seed in (0, 1)}
    again = open_text_encoder(str(text_folder(tmp_path / "again", 0))).fingerprint
    assert len(prints) == 2
    assert again in prints


def test_opening_leaves_the_global_generator_alone(tmp_path):
    folder = text_folder(tmp_path / "bert")
    before = torch.get_rng_state()
    open_text_encoder(str(folder))
    assert bool((torch.get_rng_state() == before).all())


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match=r"an encoder is 'package' or a local .* \(got 'nowhere'\)"):
        open_text_encoder("nowhere")
    with pytest.raises(InputError, match="not a transformers folder"):
        open_text_encoder(str(tmp_path))
    folder = configure(text_folder(tmp_path / "max"), {"pooling_mode_max_tokens": True})
    with pytest.raises(InputError, match="got pooling_mode_max_tokens"):
        open_text_encoder(str(folder))
    folder = text_folder(tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(InputError, match=r"cut: not a readable transformers model"):
        open_text_encoder(str(folder))
    folder = text_folder(tmp_path / "deep")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(InputError, match=r"weights of the model are not in the file \(first: encoder.layer.1"):
        open_text_encoder(str(folder))
    (folder / "config.json").write_text(json.dumps({**config, "text_config": {}, "model_type": "clip"}))
    with pytest.raises(InputError, match="several towers"):
        open_text_encoder(str(folder))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "[1]"),
        ("config.json", "{"),
        ("config.json", '{"model_type": 3}'),
        ("config.json", '{"model_type": "nothing-known"}'),
        ("config.json", '{"auto_map": {"AutoModel": "evil.Model"}, "model_type": "nothing-known"}'),
        ("config.json", '{"model_type": "bert", "hidden_size": "wide"}'),
        ("config.json", '{"model_type": "bert", "hidden_size": -4}'),
        ("modules.json", "3"),
        ("modules.json", "[3]"),
        ("1_Pooling/config.json", "[]"),
        ("1_Pooling/config.json", "[" * 10_000),
        ("sentence_bert_config.json", '{"max_seq_length": "many"}'),
        ("sentence_bert_config.json", '{"max_seq_length": -1}'),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", '{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": [["a", "b"]]}}'),
        ("tokenizer_config.json", "[]"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../other.safetensors"}}'),
        ("model.safetensors.index.json", '{"weight_map": 3}'),
        ("adapter_config.json", "{}"),
    ],
)
def test_damaged_and_hostile_files_of_a_folder_are_one_line(tmp_path, file, content):
    folder = text_folder(tmp_path / "bert")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / "evil.py").write_text("raise SystemExit('executed')")
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=r"bert") as refused:
        open_text_encoder(str(folder))
    assert "\n" not in str(refused.value)


def test_links_of_a_folder_lead_nowhere_else(tmp_path):
    cache = tmp_path / "models--x"
    folder = text_folder(cache / "snapshots" / "1")
    (cache / "blobs").mkdir()
    (folder / "config.json").rename(cache / "blobs" / "c")
    (folder / "config.json").symlink_to("../../blobs/c")  # as the cache of Hugging Face keeps them
    assert open_text_encoder(str(folder)).width == 8
    (folder / "config.json").unlink()
    (cache / "blobs" / "c").rename(tmp_path / "c")
    (folder / "config.json").symlink_to(tmp_path / "c")
    with pytest.raises(InputError, match=r"config\.json: is a link that leads out of the folder; refused"):
        open_text_encoder(str(folder))
    (folder / "config.json").unlink()
    os.mkfifo(folder / "vocab.txt")
    with pytest.raises(InputError, match=r"vocab\.txt: is a pipe, socket or device"):
        open_text_encoder(str(folder))


def test_words_that_the_model_does_not_have_are_refused(tmp_path):
    folder = text_folder(tmp_path / "bert", words=["mauve"])
    text_folder(tmp_path / "few")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "few" / name).replace(folder / name)
    with pytest.raises(InputError, match="the tokenizer of 'bert' has word 12, its model only 12 words"):
        open_text_encoder(str(folder)).tokenize(["a mauve mug"])


def test_a_tokenizer_whose_padding_the_model_does_not_know_is_refused(tmp_path):
    folder = text_folder(tmp_path / "bert")
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    content["added_tokens"].append({**content["added_tokens"][0], "id": 999, "content": "[FAR]"})
    file.write_text(json.dumps(content))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "pad_token": "[FAR]"}))
    with pytest.raises(InputError, match="text encoder"):
        open_text_encoder(str(folder))


def test_a_list_of_weights_names_files_of_the_folder(tmp_path):
    folder = text_folder(tmp_path / "bert")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    assert check_folder(folder) == folder
    for names in ({"a": "../elsewhere"}, {"a": ""}, {"a": 3}, []):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
        with pytest.raises(InputError, match="'weight_map' must name files of this folder"):
            check_folder(folder)


def test_bars_that_were_off_stay_off(tmp_path):
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    try:
        logging.disable_progress_bar()
        open_text_encoder(str(text_folder(tmp_path / "bert")))
        assert not logging.is_progress_bar_enabled()
    finally:
        if shown:
            logging.enable_progress_bar()


def test_vectors_of_another_width_are_refused(tmp_path, monkeypatch):
    folder = text_folder(tmp_path / "bert")
    whole = TransformerTextEncoder.encode

    def wide(encoder, ids):
        found = whole(encoder, ids)
        return found._replace(pooled=found.pooled[:, :-1])

    monkeypatch.setattr(TransformerTextEncoder, "encode", wide)
    with pytest.raises(InputError, match=r"not a text encoder: vectors have shape \(2, 7\)"):
        open_text_encoder(str(folder))
