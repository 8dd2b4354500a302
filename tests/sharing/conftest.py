"""A Hub on this machine for every test, and small things to share."""

import hashlib
from contextlib import contextmanager

import pytest

from alignrec_geo import make_catalogue
from alignrec_geo.sharing import push
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.run_config import RunConfig
from tests.sharing.hub_server import TOKEN, HubServer, Repo, serving


@contextmanager
def the_hub(cache):
    """A Hub that the client talks to, with a token and an empty cache."""
    constants = pytest.importorskip("huggingface_hub").constants
    with serving(HubServer()) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setattr(constants, "ENDPOINT", running.url)
        template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield running


@pytest.fixture
def hub(tmp_path):
    """The Hub of one test."""
    with the_hub(tmp_path / "hf-cache") as running:
        yield running


@pytest.fixture(scope="session")
def sent(run, tmp_path_factory):
    """What the Hub has after a run was pushed."""
    with the_hub(tmp_path_factory.mktemp("cache")) as running:
        push(run, "me/shop-run")
        return running.files("models", "me/shop-run")


@pytest.fixture
def there(hub, sent):
    """The Hub with a run that was pushed."""
    hub.repos["models", "me/shop-run"] = repo = Repo(private=True)
    repo.commit(dict(sent))
    hub.stored |= {hashlib.sha256(content).hexdigest(): content for content in sent.values()}
    return hub


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    data = make_catalogue(n_users=40, n_items=30, image_size=8)
    return data.save(tmp_path_factory.mktemp("shared-data") / "shop")


@pytest.fixture(scope="session")
def run(catalogue, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared-runs") / "shop-run"
    training = {"epochs": 2, "log_to": "none"}
    config = {"model": "lightgcn", "dataset": str(catalogue.path), "parameters": {"dim": 4}, "training": training}
    fit_config(RunConfig.resolve(config), folder)
    return folder
