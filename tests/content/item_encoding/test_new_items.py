import json
from dataclasses import replace

import numpy as np
import pytest

from alignrec_geo.content.item_encoding.new_items import read_new_items
from alignrec_geo.dataset.readers.html_text import text_source
from alignrec_geo.errors import InputError
from tests.dataset.toys import dataset


def read(tmp_path, *lines, widths=None, data=None, **options):
    (tmp_path / "new.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return read_new_items(tmp_path / "new.jsonl", data or dataset(), widths or {}, **options)


@pytest.mark.parametrize(("source", "text"), [({}, "<b>Red</b> mug"), (text_source(True), "Red mug")])
def test_html_goes_where_it_went_from_the_data_set(tmp_path, source, text):
    found = read(tmp_path, '{"id": "bag", "title": "<b>Red</b> mug"}', data=replace(dataset(), source=source))
    assert (found[0].title, found[0].text) == (text, text)


def test_every_key(tmp_path):
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "a" / "b.jpg").touch()
    full = {"id": "ü", "title": "Red mug", "text": "Stone.", "image": "a/b.jpg", "features": {"audio": [1, 2.5]}}
    found = read(
        tmp_path, json.dumps(full), "", '{"id": "bag", "title": null}', widths={"audio": 2}, images=tmp_path / "photos"
    )
    assert [item.id for item in found] == ["ü", "bag"]
    assert (found[0].title, found[0].text) == ("Red mug", "Red mug. Stone.")
    assert found[0].image == tmp_path / "photos" / "a" / "b.jpg"
    assert found[0].vectors["audio"].tolist() == [1.0, 2.5]
    assert found[0].vectors["audio"].dtype == np.float32
    assert (found[1].title, found[1].text, found[1].image, dict(found[1].vectors)) == (None, None, None, {})
    assert read(tmp_path, '{"id": "bag", "image": "b.jpg"}')[0].image == tmp_path / "b.jpg"  # beside the file


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"id": "bag"}', "{"], r"new\.jsonl, line 2: not JSON"),
        (['["bag"]'], r"line 1: a line is one JSON object \(got list\)"),
        (
            ['{"id": "bag", "price": 3}'],
            r"line 1: unknown key \(got 'price'\); allowed: id, title, text, image",
        ),
        (['{"title": "Bag"}'], r"line 1: 'id' must be a text that is not empty, or a whole number \(got None\)"),
        (['{"id": true}'], r"'id' must be a text that is not empty, or a whole number \(got True\)"),
        (['{"id": " "}'], r"'id' must be a text that is not empty, or a whole number \(got ' '\)"),
        (['{"id": "\\ud800"}'], "line 1: not a readable JSON object of an item"),
        (['{"id": "bag", "text": "\\ud800"}'], "line 1: not a readable JSON object of an item"),
        (['{"id": "bag", "features": ' + "[" * 100_000], "line 1: .*nested too deeply"),
        (['{"id": "bag", "title": ' + "9" * 5000 + "}"], "line 1: not a readable JSON object of an item"),
        (['{"id": "bag"}', "", '{"id": "bag"}'], "line 3: item 'bag' is on line 1 already"),
        (['{"id": "mug"}'], "line 1: item 'mug' is in data set 'toy' already"),
        (['{"id": "bag", "text": ["a"]}'], r"'text' must be a text \(got \['a'\]\)"),
        (['{"id": "bag", "image": "../secret.png"}'], "'image' is the name of a file in"),
        (['{"id": "bag", "image": "/etc/secret.png"}'], "'image' is the name of a file in"),
        (['{"id": "bag", "image": ""}'], "'image' is the name of a file in"),
        (['{"id": "bag", "features": [1]}'], "'features' must be an object"),
        (['{"id": "bag", "features": {"sound": [1]}}'], "the run has no features 'sound'; it has: audio"),
        (['{"id": "bag", "features": {"audio": [1]}}'], "features 'audio' must be a list of 2 finite numbers"),
        (['{"id": "bag", "features": {"audio": [1, NaN]}}'], "2 finite numbers"),
        (['{"id": "bag", "features": {"audio": [1, 1e60]}}'], "2 finite numbers"),
        (['{"id": "bag", "features": {"audio": [1, true]}}'], "2 finite numbers"),
        (['{"id": "bag", "features": {"audio": [1, ' + "9" * 400 + "]}}"], "2 finite numbers"),
        (["", ""], r"new\.jsonl: no items in it"),
    ],
)
def test_one_clear_error(tmp_path, lines, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, *lines, widths={"audio": 2})


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder of images"):
        read(tmp_path, '{"id": "bag"}', images=tmp_path / "photos")
    with pytest.raises(InputError, match="no such file"):
        read_new_items(tmp_path / "absent.jsonl", dataset(), {})
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable text file of JSON lines"):
        read_new_items(tmp_path / "x", dataset(), {})


def test_whole_numbers_are_ids_and_a_mark_at_the_start_is_none(tmp_path):
    assert [item.id for item in read(tmp_path, '\ufeff{"id": 7}\r', '{"id": "8"}')] == ["7", "8"]


def test_a_folder_without_a_image_of_any_item_is_an_error(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(InputError, match=r"no line of .* names an image of it; 'image' is the key"):
        read(tmp_path, '{"id": "bag"}', images=photos)
    (photos / "BAG.jpg").touch()
    message = "holds none of the 1 images .* for example bag.jpg, the folder holds for example BAG.jpg"
    with pytest.raises(InputError, match=message):
        read(tmp_path, '{"id": "bag", "image": "bag.jpg"}', images=photos)
    (photos / "bag.jpg").symlink_to(tmp_path / "new.jsonl")
    with pytest.raises(InputError, match="line 1: 'image' is a link that leads out of"):
        read(tmp_path, '{"id": "bag", "image": "bag.jpg"}', images=photos)
