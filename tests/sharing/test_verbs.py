"""The verbs push and pull: what they print, and the environment that their users know."""

import json
import os
import subprocess
import sys

import pytest

from alignrec_geo import Dataset
from tests.sharing.hub_server import TOKEN

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:httpx2")


def test_there_and_back(verb, hub, catalogue, tmp_path):
    done = verb("push", catalogue.path, "me/shop", "--license", "mit", "--tag", "v1", "-m", "first")
    assert done.code == 0, done.err
    assert "left this machine: 36 files" in done.err
    assert "the ids of 40 users and their" in done.err
    assert done.out.startswith(f"{hub.url}/datasets/me/shop/commit/")
    assert "(private)" in done.out
    done = verb("pull", "me/shop@v1", tmp_path / "shop")
    assert done.code == 0, done.err
    assert done.out == f"{tmp_path / 'shop'}: data set\n"
    verb("pull", "me/shop@v1", tmp_path / "shop").refused("already exists and is not empty", "--overwrite")
    assert json.loads(verb("pull", "me/shop", tmp_path / "shop", "--overwrite", "--json").out)["kind"] == "data set"


def test_a_dry_run_lists_the_files(verb, run):
    done = verb("push", run, "me/a", "--dry-run", "--slim")
    assert done.code == 0, done.err
    assert "embeddings.safetensors" in done.out
    assert "last.safetensors" not in done.out
    assert "would leave this machine" in done.err
    told = json.loads(verb("push", run, "me/a", "--dry-run", "--without-users", "--json").out)
    assert told["commit"] is None
    assert "no users, no interactions" in told["told"]


def test_errors_name_the_options(verb, run, hub):
    verb("push", run, "me/a", "--public", "--without-users")
    verb("push", run, "me/a").refused("pass --public if they may be, --without-users")
    verb("push", run, "me/a", "--without-images").refused("--without-images is for data sets")
    verb("pull", "shop", "x").refused("OWNER/NAME")


def test_features_into_a_data_set(verb, hub, catalogue, tmp_path):
    verb("push", catalogue.path, "me/vectors", "--without-users")
    bare = catalogue.save(tmp_path / "bare", content=False)
    done = verb("pull", "me/vectors", bare.path)
    assert done.code == 0, done.err
    assert "features 'image' for 29 of its items" in done.out
    assert Dataset.open(bare.path).feature_names == ["image", "text"]


@pytest.mark.slow  # a process of its own: the client reads its variables when it is imported
def test_a_process_takes_address_and_token_from_the_environment(hub, run, tmp_path):
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "push", str(run), "me/a", "--without-users", "--json"]
    done = subprocess.run(
        command, env={**environment, "HF_HUB_DISABLE_XET": "1"}, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["address"] == "models/me/a"
    assert hub.url in json.loads(done.stdout)["commit"]
    assert "embeddings.safetensors" in hub.files("models", "me/a")
