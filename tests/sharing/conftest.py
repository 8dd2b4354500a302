"""A Hub on this machine for every test, and small things to share."""

import pytest

from alignrec_geo import make_catalogue
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.run_config import RunConfig
from tests.sharing.hub_server import TOKEN, HubServer, serving


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The Hub that the client talks to, with a token and an empty cache."""
    constants = pytest.importorskip("huggingface_hub").constants
    with serving(HubServer()) as running:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf-cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield running


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
