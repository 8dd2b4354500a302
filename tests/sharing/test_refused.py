"""What is refused, on either side: one line, nothing written, nothing sent."""

import hashlib
import json
import pickle
import shutil

import pytest

from alignrec_geo import Dataset
from alignrec_geo.errors import FetchError, InputError
from alignrec_geo.sharing import hub as hub_module
from alignrec_geo.sharing import package, pull, push
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.kinds import is_allowed
from tests.file_server import closed_url
from tests.sharing.hub_server import Repo

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:httpx2")


def entry(content):
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def commit(hub, changes, listed=True, without=()):
    """Commit files, named in ``shared.json`` too unless ``listed`` is false."""
    there = hub.files("models", "me/shop-run")
    files = {path: content for path, content in there.items() if path not in without} | changes
    shared = json.loads(files["shared.json"])
    if listed:
        shared["files"] |= {path: entry(content) for path, content in changes.items()}
    hub.repos["models", "me/shop-run"].commit({**files, "shared.json": json.dumps(shared).encode()})


def refused(tmp_path, *words, address="me/shop-run", error=InputError):
    target = tmp_path / "back"
    with pytest.raises(error) as found:
        pull(address, target)
    for word in words:
        assert word in str(found.value)
    assert "\n" not in str(found.value)
    assert not target.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


class Harm:
    def __reduce__(self):
        return (pytest.fail, ("code of a file was run",))


@pytest.mark.parametrize(
    "path",
    ["model.pt", "weights.pkl", "setup.py", "report.html", "checkpoint/best.bin", "dataset/extra.parquet", "../x.json"],
)
def test_a_file_that_no_run_has(there, tmp_path, path):
    commit(there, {path: pickle.dumps(Harm())})
    refused(tmp_path, f"holds '{path}'", "nothing was written")


@pytest.mark.parametrize("path", ["../../evil.json", "/etc/evil.json", "a\\..\\b", "C:/x.json", "images/../../x.png"])
@pytest.mark.parametrize("kind", ["run", "data set", "features"])
def test_no_path_leads_out(path, kind):
    assert not is_allowed(kind, path)


def test_a_pickle_under_an_allowed_name_is_never_opened_as_one(there, tmp_path):
    commit(there, {"embeddings.safetensors": pickle.dumps(Harm())})
    refused(tmp_path, "embeddings.safetensors: not a readable safetensors file")


def test_a_damaged_table(there, tmp_path):
    commit(there, {"dataset/users.parquet": b"PAR1 nothing PAR1"})
    refused(tmp_path, "models/me/shop-run: cannot be used: dataset/users.parquet")


def test_a_file_that_is_in_no_manifest(there, tmp_path):
    commit(there, {"notes.txt": b"hello"}, listed=False)
    refused(tmp_path, "holds 'notes.txt', which is not in shared.json")


def test_a_licence_beside_them_is_fine(there, tmp_path):
    commit(there, {"LICENSE": b"do what you want"}, listed=False)
    assert pull("me/shop-run", tmp_path / "back").files


def test_a_file_that_the_listing_makes_up(there, tmp_path):
    there.listed = {"../../../evil.py": 3}
    refused(tmp_path, "holds '../../../evil.py', which is not in shared.json")


def test_a_missing_file(there, tmp_path):
    commit(there, {}, without=["result.json"])
    refused(tmp_path, "'result.json' is in shared.json and not there")


def test_another_size(there, tmp_path):
    commit(there, {"result.json": b"{}"}, listed=False)
    refused(tmp_path, "'result.json' has 2 bytes, shared.json says")


def test_other_bytes_of_the_same_size(there, tmp_path):
    content = there.files("models", "me/shop-run")["embeddings.safetensors"]
    there.instead = {"embeddings.safetensors": content[:-1] + bytes([content[-1] ^ 1])}
    refused(tmp_path, "'embeddings.safetensors' is not what shared.json says", "nothing was written")


@pytest.mark.slow
def test_a_damaged_cache_is_mended(there, tmp_path):
    pull("me/shop-run", tmp_path / "one")
    (blob,) = (tmp_path / "hf-cache").rglob("snapshots/*/embeddings.safetensors")
    content = blob.read_bytes()
    blob.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    pull("me/shop-run", tmp_path / "two")
    assert (tmp_path / "two" / "embeddings.safetensors").read_bytes() == content


@pytest.mark.parametrize(
    ("shared", "said"),
    [
        (b"[]", "object"),
        (b"{", "not valid JSON"),
        (b'{"made_by": "me"}', "was not made by 'alignrec-geo push'"),
        (b'{"made_by": "alignrec-geo push", "version": 2}', "has version 2; this release reads 1"),
        (b'{"made_by": "alignrec-geo push", "version": 1, "kind": "code", "name": "x", "files": {}}', "kind"),
    ],
)
def test_a_manifest_that_is_none(there, tmp_path, shared, said):
    there.repos["models", "me/shop-run"].commit({**there.files("models", "me/shop-run"), "shared.json": shared})
    refused(tmp_path, said)


def test_more_bytes_than_the_limit(there, tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNREC_LIMITS", "download_bytes=1000")
    refused(tmp_path, "the limit is 1000")


def test_a_repository_that_did_not_come_from_push(hub, tmp_path, run):
    hub.repos["models", "me/other"] = repo = Repo()
    repo.commit({"pytorch_model.bin": pickle.dumps(Harm()), "README.md": b"# mine"})
    refused(tmp_path, "has no shared.json: it did not come from 'alignrec-geo push'", address="me/other")
    with pytest.raises(InputError, match=r"holds 'pytorch_model.bin', which did not come from 'alignrec-geo push'"):
        push(run, "me/other", public=True)
    assert set(hub.files("models", "me/other")) == {"pytorch_model.bin", "README.md"}


def test_users_do_not_get_into_a_public_repository_by_mistake(hub, run):
    push(run, "me/a", public=True, without_users=True)
    before = dict(hub.files("models", "me/a"))
    with pytest.raises(InputError, match=r"is public, and 40 users' ids and interactions would be; pass public=True"):
        push(run, "me/a")
    assert hub.files("models", "me/a") == before
    push(run, "me/a", public=True)


def test_a_wrong_token(there, run, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    refused(tmp_path, "the token was refused", "HF_TOKEN or 'hf auth login'")
    with pytest.raises(InputError, match="the token was refused"):
        push(run, "me/b")


def test_no_token_for_what_is_private(there, run, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    refused(tmp_path, "no such repository, or a private one", "HF_TOKEN")
    with pytest.raises(InputError, match="HF_TOKEN"):
        push(run, "me/b")


def test_a_token_that_may_not_write(there, run):
    there.read_only = True
    before = dict(there.files("models", "me/shop-run"))
    with pytest.raises(InputError, match=r"the token may not do this \(.*you have no right to write here"):
        push(run, "me/shop-run")
    assert there.files("models", "me/shop-run") == before
    with pytest.raises(InputError, match="the token may not do this"):
        push(run, "me/new")


def test_no_such_repository_or_revision(there, tmp_path):
    refused(tmp_path, "models/me/none", "no such repository", address="models/me/none")
    refused(tmp_path, "no such repository", address="me/none")
    refused(tmp_path, "has no revision 'v9'", address="me/shop-run@v9")


def test_a_tag_that_is_there(there, run):
    push(run, "me/shop-run", tag="v1")
    with pytest.raises(InputError, match="Tag reference exists already: v1"):
        push(run, "me/shop-run", tag="v1")


def test_somebody_pushes_at_the_same_time(there, run):
    there.race = True
    with pytest.raises(InputError, match="A commit has happened since"):
        push(run, "me/shop-run", slim=True)
    assert there.files("models", "me/shop-run")["README.md"] == b"from elsewhere"


def test_a_hub_that_is_not_there(hub, run, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", closed_url())
    refused(tmp_path, "cannot be reached", "HF_ENDPOINT", error=FetchError)
    with pytest.raises(FetchError, match="cannot be reached"):
        push(run, "me/a")


def test_offline(there, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(tmp_path, "HF_HUB_OFFLINE is set", error=FetchError)


@pytest.mark.slow
def test_a_transfer_that_breaks_off_again_and_again(there, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the client's own attempts
    there.cut = 10**6
    refused(tmp_path, "the transfer broke off", "it goes on", error=FetchError)
    there.cut = 0
    pull("me/shop-run", tmp_path / "back")


def test_an_upload_that_fails_changes_nothing(there, run, monkeypatch):
    before = dict(there.files("models", "me/shop-run"))
    there.lfs_down = True
    there.stored.clear()
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(FetchError, match=r"the Hub answered 500|the transfer broke off"):
        push(run, "me/shop-run", without_users=True)
    assert there.files("models", "me/shop-run") == before


def test_without_the_package(run, monkeypatch):
    monkeypatch.setattr(hub_module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'alignrec-geo\[hub\]'"):
        push(run, "me/a")


@pytest.mark.parametrize(
    "address", ["shop", "me/shop/x", "me/../x", "https://hf.co/me/x", "me/ shop", "spaces/me/x", ""]
)
def test_what_is_no_address(address):
    with pytest.raises(InputError, match="an address on the Hub is OWNER/NAME"):
        Address.parse(address)


def test_folders_that_cannot_be_shared(run, catalogue, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="neither a run"):
        push(tmp_path, "me/a")
    with pytest.raises(InputError, match="no such folder"):
        push(tmp_path / "none", "me/a")
    with pytest.raises(InputError, match="a run goes into a model repository"):
        push(run, "datasets/me/a")
    with pytest.raises(InputError, match="is a run, which holds no images"):
        push(run, "me/a", without_images=True)
    with pytest.raises(InputError, match="slim= is for runs"):
        push(catalogue.path, "me/a", slim=True)
    unfinished = shutil.copytree(run, tmp_path / "unfinished")
    (unfinished / "result.json").unlink()
    with pytest.raises(InputError, match="training has not ended"):
        push(unfinished, "me/a")
    bare = catalogue.save(tmp_path / "bare", content=False)
    with pytest.raises(InputError, match="has no features, and nothing else is left without users"):
        push(bare.path, "me/a", without_users=True)
    monkeypatch.setattr(package, "MOST_FILES", 5)
    with pytest.raises(InputError, match=r"has 29 images; .* Pass without_images=True"):
        push(catalogue.path, "me/a")
    assert push(catalogue.path, "me/a", without_images=True, dry_run=True).files


def test_a_link_that_leads_out_is_not_sent(catalogue, tmp_path):
    (tmp_path / "secret").write_text("key")
    folder = tmp_path / "data"
    Dataset.open(catalogue.path).save(folder)
    (folder / "images" / "more.png").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads out of the folder"):
        push(folder, "me/a", dry_run=True)


def test_a_card_with_broken_front_matter(there, run):
    files = {**there.files("models", "me/shop-run"), "README.md": b"---\nlicense: [mit\n---\n# x\n"}
    there.repos["models", "me/shop-run"].commit(files)
    with pytest.raises(InputError, match=r"the card of models/me/shop-run: not valid YAML"):
        push(run, "me/shop-run")
