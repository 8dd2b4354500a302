"""Whatever a repository claims: paths stay inside, formats are known ones, and a manifest is read or refused."""

import json
from pathlib import PurePosixPath
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignrec_geo.errors import InputError
from alignrec_geo.files import is_within
from alignrec_geo.image_files import suffixes
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.kinds import DATA, FEATURES, RUN, Kind, is_allowed
from alignrec_geo.sharing.manifest import Shared, read_shared

KINDS = (RUN, DATA, FEATURES)
FORMATS = {".safetensors", ".parquet", ".json", ".jsonl", ".yaml", *suffixes()}
PART = st.sampled_from(
    ["..", ".", "", "images", "features", "dataset", "checkpoint", "encoders", "a", "a.png", "x.safetensors", "C:",
     "dataset.json", "users.parquet", "\\", "a\\b.png", "\0.png", "best.safetensors", "config.json", "é.jpg", "~"]
)  # fmt: skip
PATHS = st.one_of(
    st.lists(PART, max_size=5).map("/".join), st.text(max_size=30), st.text(max_size=9).map("images/{}".format)
)


@given(kind=st.sampled_from(KINDS), path=PATHS)
def test_a_path_that_is_allowed_stays_inside_and_has_a_known_format(kind, path):
    if is_allowed(kind, path):
        assert is_within(f"/srv/folder/{path}", "/srv/folder")
        assert not path.startswith("/")
        assert PurePosixPath(path).suffix.lower() in FORMATS
        assert str(PurePosixPath(path)) == path


VALID = {
    "made_by": "alignrec-geo push", "version": 1, "kind": "features", "name": "x",
    "files": {"items.parquet": {"bytes": 3, "sha256": "0" * 64}},
}  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["run", "data set"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("manifest") / "shared.json"


@given(key=st.sampled_from([*VALID, "more"]), value=JSON, inside=st.booleans())
def test_a_manifest_is_read_or_refused_in_one_line(file, key, value, inside):
    content = {**VALID, "files": {"items.parquet": value, "../x": {}}} if inside else {**VALID, key: value}
    file.write_text(json.dumps(content), encoding="utf-8", errors="surrogatepass")
    said = ""
    try:
        assert isinstance(read_shared(file, "me/x"), Shared)
        assert content == VALID or key == "name" or (key == "kind" and value in get_args(Kind))
    except InputError as error:
        said = str(error)
    assert "\n" not in said


@given(text=st.text(max_size=40) | st.from_regex(r"(hf://)?(models/|datasets/)?[a-z./@-]{1,20}", fullmatch=True))
def test_an_address_is_read_or_refused_and_reads_as_it_is_written(text):
    try:
        found = Address.parse(text)
    except InputError:
        return
    assert Address.parse(str(found)) == found
    assert str(found) == text.removeprefix("hf://")
