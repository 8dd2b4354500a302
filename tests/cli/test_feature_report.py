"""``probe --report`` and ``features describe --report``: a page, or one error before anything is computed."""

import re

import pytest

from alignrec_geo.dataset import make_catalogue


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("data") / "shop").path


def test_probe_writes_a_page(verb, shop, tmp_path):
    done = verb("probe", shop, "--features", "image,text,image+text", "--report", tmp_path / "features.html")
    assert done.code == 0, done.err
    assert f"the page is {tmp_path / 'features.html'}" in done.err
    text = (tmp_path / "features.html").read_text(encoding="utf-8")
    assert "Features of catalogue" in text
    assert text.count('class="person"') == 5
    assert re.findall(r"<h4>(.*?)</h4>", text)[:3] == ["image", "text", "image+text"]
    assert "coloured by kind" in text
    assert "What features find without training" in text
    assert "<script" not in text


def test_describe_writes_a_page(verb, shop, tmp_path):
    out = tmp_path / "page.html"
    done = verb("features", "describe", shop, "--features", "text", "--report", out, "--colour", "theme", "--json")
    assert done.code == 0, done.err
    assert "coloured by theme" in out.read_text(encoding="utf-8")


def test_bad_input_is_refused_at_once(verb, shop, tmp_path):
    page = tmp_path / "page.html"
    verb("probe", shop, "--report", page, "--colour", "brand").refused("no column 'brand'")
    verb("probe", shop, "--report", page, "--map", "tsne").refused("unknown map", "pca, umap")
    verb("features", "describe", shop, "--report", page, "--map", "tsne").refused("unknown map")
    matrix = shop / "features" / "text.safetensors"
    verb("features", "describe", matrix, "--report", page).refused("--report takes a data set folder")
    verb("features", "describe", shop, "--report", shop / "items.parquet").refused("items.parquet")
    assert not page.exists()
