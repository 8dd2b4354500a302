"""The application on a small trained run, in this process."""

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
from starlette.testclient import TestClient

from alignrec_geo.service import ServiceSettings, make_app


@pytest.fixture(scope="session")
def app(served_run):
    return make_app(ServiceSettings(served_run, max_k=50, max_users=20, max_ids=30, max_body=20_000))


@pytest.fixture
def client(app):
    return TestClient(app)


@pytest.fixture
def top(app):
    return app.service.run.top
