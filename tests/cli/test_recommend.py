"""``recommend`` and ``similar`` on saved tables: where a list comes from is said."""

import json

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.serving import ColdItems, save_cold_items, save_embeddings
from alignrec_geo.serving.store import EMBEDDINGS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving") / "run"
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    generator = torch.Generator().manual_seed(0)
    tables = Embeddings(torch.randn(60, 4, generator=generator), torch.randn(40, 4, generator=generator))
    save_embeddings(folder, tables, data)
    new = ColdItems(["NEW-1 🎉"], ["A new one"], torch.ones(1, 4))
    save_cold_items(folder / "cold.safetensors", new, folder / EMBEDDINGS)
    return folder


def test_the_fallback_of_unknown_users_is_marked(verb, run):
    asked = ("recommend", run, "--user", "user-0001", "--user", "nobody", "--unknown", "popular", "-k", 3)
    users = json.loads(verb(*asked, "--json").out)["users"]
    assert {item["source"] for item in users["user-0001"]} == {"model"}
    assert {item["source"] for item in users["nobody"]} == {"popular"}
    said = " ".join(verb(*asked).out.split())  # titles are wrapped to the width of their table
    assert said.count("the most popular items") == 1
    assert "for user nobody (no training interaction): the most popular items" in said
    assert f"{users['nobody'][0]['score']:.0f} " in said  # a number of interactions, not a score
    both = verb("recommend", run, "--user", "user-0001", "-k", 40, "--include-cold").out
    assert "cold by content" in both


def test_similar_to_an_item_that_embed_gave_a_vector_to(verb, run):
    found = json.loads(verb("similar", run, "--item", "NEW-1 🎉", "-k", 2, "--json").out)["similar"]
    assert len(found) == 2
    assert {item["source"] for item in found} == {"model"}
    near = found[0]["item"]
    listed = json.loads(verb("similar", run, "--item", near, "--include-cold", "-k", 39, "--json").out)["similar"]
    assert next(item for item in listed if item["item"] == "NEW-1 🎉")["source"] == "content"
    verb("similar", run, "--item", "absent").refused("unknown item 'absent'")


def test_users_from_a_file(verb, run, tmp_path):
    listed = tmp_path / "users.txt"
    listed.write_bytes("\ufeffuser-0001\n\nuser-0002\n".encode())
    users = json.loads(verb("recommend", run, "--users-file", listed, "--json").out)["users"]
    assert list(users) == ["user-0001", "user-0002"]
    verb("recommend", run, "--users-file", tmp_path).refused("is a folder")
    listed.write_bytes(b"\xff\xfe\x00")
    verb("recommend", run, "--users-file", listed).refused("not a readable text file of user ids")
