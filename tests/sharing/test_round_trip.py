"""What is pushed comes back as it was, to everybody who may have it, and without what is not to leave."""

import json
import re
import shutil
import warnings

import polars as pl
import pytest
import torch
import yaml

from alignrec_geo import Dataset, load_top_items
from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.errors import InputError
from alignrec_geo.serving.cold import ColdItems
from alignrec_geo.serving.cold_store import save_cold_items
from alignrec_geo.serving.store import read_embeddings
from alignrec_geo.sharing import pull, push
from alignrec_geo.sharing.card import END, START
from alignrec_geo.training.run_folder import RUN

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:httpx2")


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def front_matter(card):
    return yaml.safe_load(re.match(r"---\n(.*?)---\n", card, re.DOTALL)[1])


def test_a_run_comes_back_and_recommends_the_same(hub, run, tmp_path):
    pushed = push(run, "me/shop-run")
    assert pushed.address == "models/me/shop-run"
    assert pushed.private
    assert "the ids of 40 users and their" in pushed.told
    pulled = pull("me/shop-run", tmp_path / "back")
    assert pulled.commit in pushed.commit
    ours, theirs = contents(run), contents(tmp_path / "back")
    assert set(theirs) - set(ours) == {"report.html"}
    assert set(ours) == set(theirs) - {"report.html"}
    assert [path for path in ours if ours[path] != theirs[path]] == ["config.yaml"]
    assert RUN.problem(tmp_path / "back") is None
    user = Dataset.open(run / "dataset").users["id"][3]
    frames = [load_top_items(folder).recommend([user], k=5).to_frame() for folder in (run, tmp_path / "back")]
    assert frames[0].equals(frames[1])


def test_no_path_of_this_machine_leaves_it(hub, run, catalogue):
    push(run, "me/shop-run")
    sent = hub.files("models", "me/shop-run")
    assert str(catalogue.path) in (run / "config.yaml").read_text()
    assert not [path for path, content in sent.items() if str(catalogue.path.parent).encode() in content]
    assert yaml.safe_load(sent["config.yaml"])["dataset"] is None


def test_the_command_line_stays_here_too(hub, run, tmp_path):
    own = shutil.copytree(run, tmp_path / "run")
    result = json.loads((own / "result.json").read_text())
    (own / "result.json").write_text(json.dumps({**result, "command": "alignrec-geo train /home/me/secret"}))
    push(own, "me/other-run")
    sent = hub.files("models", "me/other-run")
    assert not [path for path, content in sent.items() if b"/home/me" in content]
    assert json.loads(sent["result.json"])["machine"] == result["machine"]


def test_the_card_of_a_run(hub, run):
    push(run, "me/shop-run", license="mit")
    card = hub.files("models", "me/shop-run")["README.md"].decode()
    told, result = front_matter(card), json.loads((run / "result.json").read_text())
    assert told["license"] == "mit"
    assert told["library_name"] == "alignrec-geo"
    assert "lightgcn" in told["tags"]
    (entry,) = told["model-index"][0]["results"]
    measured = {metric["type"]: metric["value"] for metric in entry["metrics"]}
    assert measured == {name: pytest.approx(value, abs=1e-6) for name, value in result["metrics"].items()}
    assert entry["dataset"]["name"] == "catalogue"
    assert "$ alignrec-geo pull models/me/shop-run runs/shop-run" in card
    recall = f"| recall@20 | {result['metrics']['recall@20']:.4f} | {result['validation']['recall@20']:.4f} |"
    assert recall in card


def test_what_people_wrote_on_the_card_stays(hub, run):
    push(run, "me/shop-run")
    repo = hub.repos["models", "me/shop-run"]
    files = dict(hub.files("models", "me/shop-run"))
    card = files["README.md"].decode()
    card = card.replace("---\n", "---\nlanguage: de\nlicense: apache-2.0\n", 1).replace("- recommendation", "- shoes")
    card = (
        card.replace(START, f"Ours since 1999.\n\n{START}")
        .replace(END, f"{END}\n\nCall Ann.")
        .replace("Seed 0", "Seed X")
    )
    repo.commit({**files, "README.md": card.encode()})
    push(run, "me/shop-run")
    after = hub.files("models", "me/shop-run")["README.md"].decode()
    assert "Ours since 1999." in after
    assert "Call Ann." in after
    assert "Seed 0" in after
    told = front_matter(after)
    assert (told["language"], told["license"]) == ("de", "apache-2.0")
    assert {"shoes", "recommendation"} <= set(told["tags"])
    assert after.count(START) == 1


def test_a_card_without_our_part_gets_it_at_the_end(hub, run):
    push(run, "me/shop-run")
    repo = hub.repos["models", "me/shop-run"]
    repo.commit({**hub.files("models", "me/shop-run"), "README.md": b"# Hello\n"})
    push(run, "me/shop-run")
    assert "---\n# Hello\n\n" + START in hub.files("models", "me/shop-run")["README.md"].decode()


def test_a_data_set_comes_back(hub, catalogue, tmp_path):
    pushed = push(catalogue.path, "me/shop")
    assert pushed.address == "datasets/me/shop"
    pull("me/shop", tmp_path / "back")
    back = Dataset.open(tmp_path / "back")
    assert back.fingerprint() == catalogue.fingerprint()
    assert back.feature_names == catalogue.feature_names
    assert DATA_SET.problem(tmp_path / "back") is None
    ours, theirs = contents(catalogue.path), contents(tmp_path / "back")
    assert {path: theirs[path] for path in ours} == ours
    assert set(theirs) - set(ours) == {"croissant.json"}
    told = front_matter(hub.files("datasets", "me/shop")["README.md"].decode())
    assert {entry["data_files"] for entry in told["configs"]} <= set(theirs)


def test_a_data_set_without_images(hub, catalogue, tmp_path):
    pushed = push(catalogue.path, "me/shop", without_images=True)
    assert not [path for path in pushed.files if path.startswith("images/")]
    pull("me/shop", tmp_path / "back")
    back = Dataset.open(tmp_path / "back")
    assert back.items["image"].null_count() == back.items.height
    assert (back.features("text").matrix == catalogue.features("text").matrix).all()


def test_features_alone_have_nothing_of_users(hub, catalogue, tmp_path):
    pushed = push(catalogue.path, "me/vectors", without_users=True)
    assert pushed.kind == "features"
    assert "no users, no interactions" in pushed.told
    sent = hub.files("datasets", "me/vectors")
    users = [user.encode() for user in catalogue.users["id"]]
    assert not [path for path, content in sent.items() if any(user in content for user in users)]
    pull("me/vectors", tmp_path / "vectors")
    assert {*contents(tmp_path / "vectors")} == {
        "items.parquet", "features/image.safetensors", "features/text.safetensors", "shared.json"
    }  # fmt: skip
    with pytest.raises(InputError, match="already exists"):
        pull("me/vectors", tmp_path / "vectors")
    pull("me/vectors", tmp_path / "vectors", overwrite=True)


def test_features_go_into_a_data_set_by_item_id(hub, catalogue, tmp_path):
    push(catalogue.path, "me/vectors", without_users=True)
    ids = catalogue.items["id"]
    pairs = pl.DataFrame({"user": [f"u{n // 6}" for n in range(60)], "item": [*ids[20:29], "new"] * 6})
    other = Dataset.from_frame(pairs, user="user", item="item").save(tmp_path / "other")
    pulled = pull("me/vectors", tmp_path / "other")
    assert set(pulled.matched) == {"image", "text"}
    opened = Dataset.open(tmp_path / "other")
    ours, theirs = catalogue.features("text"), opened.features("text")
    for item in ids[20:29]:
        here, there = catalogue.item_rows(item)[0], opened.item_rows(item)[0]
        assert theirs.present[there] == ours.present[here]
        assert (theirs.matrix[there] == ours.matrix[here]).all()
    assert not theirs.present[other.item_rows("new")[0]]
    assert opened.fingerprint() == other.fingerprint()
    with pytest.raises(InputError, match="has features 'image' already; overwrite"):
        pull("me/vectors", tmp_path / "other")
    pull("me/vectors", tmp_path / "other", overwrite=True)
    stranger = Dataset.from_frame(pl.DataFrame({"user": ["a", "b"] * 6, "item": ["x", "y", "z"] * 4}))
    stranger.save(tmp_path / "stranger")
    with pytest.raises(InputError, match="have none of its items"):
        pull("me/vectors", tmp_path / "stranger")
    assert Dataset.open(tmp_path / "stranger").feature_names == []


def test_a_run_without_users_serves_items_and_baskets(hub, run, tmp_path):
    pushed = push(run, "me/items", without_users=True)
    sent = hub.files("models", "me/items")
    users = [user.encode() for user in Dataset.open(run / "dataset").users["id"]]
    assert not [path for path, content in sent.items() if any(user in content for user in users)]
    assert not [path for path in pushed.files if "checkpoint" in path or "per_user" in path]
    pull("me/items", tmp_path / "items")
    assert read_embeddings(tmp_path / "items").users.shape[0] == 0
    ours, theirs = load_top_items(run), load_top_items(tmp_path / "items")
    items = Dataset.open(run / "dataset").items["id"].to_list()
    for ask in (lambda top: top.similar(items[0], k=4), lambda top: top.recommend_for_items(items[:3], k=4)):
        assert not ask(theirs).to_frame()["cold"].any()
        columns = ["rank", "item", "title", "score"]
        assert ask(ours).to_frame().select(columns).equals(ask(theirs).to_frame().select(columns))


def test_slim_leaves_out_what_only_resuming_needs(hub, run):
    assert set(push(run, "me/a").files) - set(push(run, "me/b", slim=True).files) == {"checkpoint/last.safetensors"}


@pytest.mark.slow
def test_branches_and_tags(hub, run, catalogue, tmp_path):
    push(run, "me/a", tag="v1")
    push(run, "me/a@wip", without_users=True)
    assert pull("me/a", tmp_path / "main").commit == pull("me/a@v1", tmp_path / "v1").commit
    assert (tmp_path / "v1" / "per_user.parquet").exists()
    pull("models/me/a@wip", tmp_path / "wip")
    assert not (tmp_path / "wip" / "per_user.parquet").exists()
    push(catalogue.path, "me/a")  # a data set of the same name is another repository
    with pytest.raises(InputError, match=r"write models/me/a or datasets/me/a"):
        pull("me/a", tmp_path / "which")
    assert pull("datasets/me/a", tmp_path / "which").kind == "data set"


def test_what_is_gone_here_goes_there(hub, catalogue, tmp_path):
    push(catalogue.path, "me/shop")
    push(catalogue.path, "me/shop", without_images=True)
    assert not [path for path in hub.files("datasets", "me/shop") if path.startswith("images/")]
    assert len(hub.repos["datasets", "me/shop"].commits) == 3


def test_what_is_there_already_is_not_sent_again(hub, run):
    push(run, "me/a")
    hub.asked.clear()
    push(run, "me/a")
    assert not [path for method, path in hub.asked if method == "PUT"]


def test_a_dry_run_asks_nobody(hub, run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pushed = push(run, "me/a", dry_run=True)
    assert pushed.commit is None
    assert "embeddings.safetensors" in pushed.files
    assert hub.asked == []


@pytest.mark.slow
def test_an_aborted_transfer_goes_on(hub, run, tmp_path):
    push(run, "me/a")
    hub.cut = 1
    pull("me/a", tmp_path / "back")
    assert contents(tmp_path / "back")["embeddings.safetensors"] == (run / "embeddings.safetensors").read_bytes()


def test_cold_items_come_along_without_users(hub, run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    top = load_top_items(folder)
    width = read_embeddings(folder).items.shape[1]
    cold = ColdItems(["brand-new"], ["A new mug"], torch.ones(1, width))
    save_cold_items(folder / "cold.safetensors", cold, folder / "embeddings.safetensors")
    push(folder, "me/items", without_users=True)
    pull("me/items", tmp_path / "back")
    frame = load_top_items(tmp_path / "back", include_cold=True).similar("brand-new", k=3, include_cold=True).to_frame()
    assert not frame["cold"].any()
    assert top.knows_item(frame["item"][0])
