"""What is refused before anything is asked of a Hub, and how its answers are told."""

import errno
import json
import shutil
from types import SimpleNamespace

import polars as pl
import pytest

from alignrec_geo import Dataset
from alignrec_geo.errors import FetchError, InputError
from alignrec_geo.locks import LOCK, locked
from alignrec_geo.sharing import card, croissant, hub, manifest, pull, pulled, push, remote
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.data_package import data_files
from alignrec_geo.sharing.kinds import FEATURES, RUN
from alignrec_geo.sharing.manifest import SHARED, Shared, shared_file
from tests.sharing.hub_server import Repo

errors = pytest.importorskip("huggingface_hub").errors
ADDRESS = Address.parse("me/shop")


def answered(kind, code=404, said=None):
    """An error of the client, as it comes from an answer."""
    error = kind.__new__(kind)
    Exception.__init__(error, "of the client")
    error.response = SimpleNamespace(status_code=code, reason_phrase="Teapot")
    error.server_message = said
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answered(errors.GatedRepoError, 403), InputError, "is gated; ask its owner for access on its page. A token"),
        (answered(errors.RepositoryNotFoundError), InputError, "no such repository, or a private one"),
        (answered(errors.HfHubHTTPError, 500), FetchError, r"the Hub answered 500 \(Teapot\); try again later"),
        (answered(errors.HfHubHTTPError, 413, "too\nlarge"), InputError, "refused: too large"),
        (errors.HFValidationError("Repo id must be …"), InputError, "no address on the Hub"),
        (errors.LocalTokenNotFoundError("no token"), InputError, "needs a token"),
        (OSError("Consistency check failed: file should be of size 3"), FetchError, "me/shop on https://hub"),
    ],
)
def test_answers_are_one_line_that_names_the_address(error, kind, words):
    with pytest.raises(kind, match=words) as raised, hub.asking(ADDRESS, "https://hub"):
        raise error
    assert "\n" not in str(raised.value)


def test_what_is_no_fault_of_a_transfer_is_passed_on():
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"), hub.asking(ADDRESS, "https://hub"):
        raise full


def test_runs_that_are_not_ready(run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "run")
    with locked(copied / LOCK), pytest.raises(InputError, match="another process is training this run"):
        push(copied, "me/a", dry_run=True)
    (copied / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"no run folder, it holds 'notes\.txt'"):
        push(copied, "me/a", dry_run=True)


def test_a_run_without_a_rule_is_shared_without_one(hub, run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "run")
    (copied / "folding.safetensors").unlink()
    assert "folding.safetensors" in push(run, "me/a", without_users=True).files
    assert "folding.safetensors" not in push(copied, "me/b", without_users=True).files


def test_an_image_whose_name_cannot_be_shared(catalogue, tmp_path):
    data = Dataset.open(catalogue.path).save(tmp_path / "shop")
    strange = f"images/{'x' * 300}.png"
    items = pl.read_parquet(data.path / "items.parquet")
    row = int(items["image"].is_not_null().arg_max())
    opened = data.items.with_columns(
        image=pl.when(pl.int_range(pl.len()) == row).then(pl.lit(strange)).otherwise("image")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "open", classmethod(lambda *given: SimpleNamespace(items=opened)))
        with pytest.raises(InputError, match="has a name that cannot be shared"):
            data_files(data.path, tmp_path, without_images=False)


def test_a_run_that_was_never_tested_has_no_results_on_its_card(there, run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "run")
    told = json.loads((copied / "result.json").read_text())
    (copied / "result.json").write_text(json.dumps({**told, "metrics": {}}))
    push(copied, "me/untested")
    text = there.files("models", "me/untested")["README.md"].decode()
    assert "Nothing was measured on a test split." in text
    assert "model-index" not in text


def test_front_matter_that_is_no_mapping(there, run):
    files = {**there.files("models", "me/shop-run"), "README.md": b"---\n- a list\n---\n# x\n"}
    there.repos["models", "me/shop-run"].commit(files)
    with pytest.raises(InputError, match="its front matter holds no key: value pairs; mend it there"):
        push(run, "me/shop-run")
    assert card._parts("---\n\n---\nbody", "me/a") == ({}, "body")


def test_files_that_are_too_large_to_be_read(there, run, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "LARGEST_CARD", 10)
    with pytest.raises(InputError, match=r"its README\.md has .* bytes; at most 10 are read"):
        push(run, "me/shop-run")
    monkeypatch.setattr(manifest, "LARGEST", 20)
    (tmp_path / SHARED).write_text("{" + " " * 20 + "}")
    with pytest.raises(InputError, match="has 22 bytes; at most 20 are read"):
        manifest.read_shared(tmp_path / SHARED, ADDRESS)


def features(folder, **changes):
    """A folder as it is pulled, with ids that may be changed."""
    ids = changes.get("ids", pl.DataFrame({"id": ["a", "b"]}))
    ids.write_parquet(folder / "items.parquet")
    files = {"items.parquet": shared_file(folder / "items.parquet")}
    return Shared(kind=changes.get("kind", FEATURES), name="vectors", files=files)


@pytest.mark.parametrize(
    "ids",
    [
        pl.DataFrame({"id": [1, 2]}),
        pl.DataFrame({"id": ["a", "a"]}),
        pl.DataFrame({"id": ["a", None]}),
        pl.DataFrame({"name": ["a", "b"]}),
    ],
)
def test_ids_of_pulled_features_are_all_different_texts(tmp_path, ids):
    with pytest.raises(InputError, match=r"me/shop: cannot be used: items\.parquet: must hold one column 'id'"):
        pulled.check_pulled(features(tmp_path, ids=ids), tmp_path, ADDRESS)


def test_what_pulling_features_may_replace(tmp_path):
    problem = pulled.FOLDERS[FEATURES].problem
    assert problem(tmp_path) == f"has no {SHARED}"
    (tmp_path / SHARED).write_text("{}")
    assert "holds no features of this program" in problem(tmp_path)
    shared = features(tmp_path)
    (tmp_path / SHARED).write_text(shared.text())
    assert problem(tmp_path) is None
    (tmp_path / "items.parquet").write_bytes(b"changed")
    assert problem(tmp_path) == "holds 'items.parquet', which was changed since"
    (tmp_path / "own.txt").touch()
    assert "own.txt" in problem(tmp_path)
    (tmp_path / "own.txt").unlink()
    run = Shared(kind=RUN, name="run", files={"config.yaml": shared_file(tmp_path / SHARED)})
    (tmp_path / SHARED).write_text(run.text())
    assert problem(tmp_path) == f"holds a {SHARED} of a {RUN}"


def test_matrices_that_do_not_fit_their_items(hub, catalogue, tmp_path):
    push(catalogue.path, "me/vectors", without_users=True)
    files = dict(hub.files("datasets", "me/vectors"))
    pl.DataFrame({"id": ["one"]}).write_parquet(tmp_path / "items.parquet")
    files["items.parquet"] = (tmp_path / "items.parquet").read_bytes()
    shared = json.loads(files[SHARED])
    entry = shared_file(tmp_path / "items.parquet")
    shared["files"]["items.parquet"] = entry.model_dump()
    hub.repos["datasets", "me/vectors"].commit({**files, SHARED: json.dumps(shared).encode()})
    with pytest.raises(InputError, match=r"features 'image' have 30 rows, items\.parquet 1 ids; nothing was written"):
        pull("datasets/me/vectors", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert Repo().find("main") is None


def test_types_of_columns():
    kinds = {pl.Boolean: "sc:Boolean", pl.Date: "sc:Date", pl.Datetime: "sc:DateTime", pl.String: "sc:Text"}
    for dtype, wanted in {**kinds, pl.Int8: "sc:Integer", pl.Float32: "sc:Float"}.items():
        assert croissant._data_type(dtype()) == wanted
