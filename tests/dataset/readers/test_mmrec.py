import gzip
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.dataset import SplitConfig
from alignrec_geo.dataset.readers.mmrec import read_mmrec
from alignrec_geo.errors import InputError
from tests.dataset.toys import write

INTER = """userID	itemID	rating	timestamp	x_label
0	3	5.0	10	0
0	1	4.0	11	1
3	1	3.0	12	2
3	0	1.0	13	0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "shop.inter", INTER)
    np.save(tmp_path / "image_feat.npy", np.arange(1, 9, dtype=np.float64).reshape(4, 2))
    return tmp_path


def test_numbers_keep_their_places(folder: Path) -> None:
    data = read_mmrec(folder)
    pairs = data.interactions
    assert data.name == "shop"
    assert (pairs.n_users, pairs.n_items) == (4, 4)
    assert data.items["id"].to_list() == ["0", "1", "2", "3"]
    assert list(zip(pairs.user.tolist(), pairs.item.tolist(), pairs.split.tolist(), strict=True)) == [
        (0, 3, 0),
        (0, 1, 1),
        (3, 1, 2),
        (3, 0, 0),
    ]
    assert pairs.timestamp is not None
    assert pairs.rating is not None
    assert pairs.timestamp.tolist() == [10, 11, 12, 13]
    assert pairs.rating.tolist() == [5, 4, 3, 1]
    assert data.split_config.rule == "given"
    np.testing.assert_array_equal(data.features("image").matrix, np.arange(1, 9).reshape(4, 2))


def test_mapping_files_give_external_ids_and_features_follow(folder: Path) -> None:
    write(folder / "i_id_mapping.csv", "asin\titemID\nB9\t0\nB7\t1\n12\t2\n3\t3\n")
    write(folder / "u_id_mapping.csv", "user,userID\nzoe,0\nx,1\ny,2\nann,3\n")
    data = read_mmrec(folder)
    assert data.items["id"].to_list() == ["12", "3", "B7", "B9"]
    assert data.users["id"].to_list() == ["ann", "x", "y", "zoe"]
    matrix = data.features("image").matrix
    assert {name: matrix[row].tolist() for name, row in zip(("B9", "3"), data.item_rows(["B9", "3"]), strict=True)} == {
        "B9": [1, 2],
        "3": [7, 8],
    }
    first = data.interactions.user[0], data.interactions.item[0]
    assert (data.users["id"][int(first[0])], data.items["id"][int(first[1])]) == ("zoe", "3")


def test_without_labels_the_split_is_random(folder: Path) -> None:
    (folder / "shop.inter").rename(folder / "old")
    rows = "".join(f"{u}\t{i}\n" for u in range(3) for i in range(4))
    (folder / "shop.inter.gz").write_bytes(gzip.compress(("userID\titemID\n" + rows).encode()))
    data = read_mmrec(folder, name="mine", default=SplitConfig(seed=3))
    assert data.name == "mine"
    assert data.interactions.split_sizes() == {"train": 6, "validation": 3, "test": 3}
    assert data.split_config == SplitConfig(rule="random", seed=3)


def test_a_rule_takes_the_place_of_labels(folder: Path) -> None:
    assert read_mmrec(folder, split=SplitConfig(rule="random")).interactions.split_sizes()["train"] == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("other.inter", INTER, r"exactly one .* is needed \(found: other\.inter, shop\.inter\)"),
        ("shop.inter", INTER.replace("\t2\n", "\t9\n"), r"line 4 holds '9' in split column 'x_label'"),
        ("shop.inter", INTER.replace("userID", "user"), "no column 'userID'; there are: 'user', 'itemID'"),
        (
            "shop.inter",
            INTER.replace("0\t3", "0\tx"),
            "line 2 holds 'x' in column 'itemID'; MMRec ids are whole numbers",
        ),
        ("shop.inter", INTER.replace("0\t3", "0\t-3"), "line 2 holds '-3' in column 'itemID'"),
        ("shop.inter", INTER.replace("0\t3", "0\t2147483646"), "line 2 holds '2147483646' .* the file only 4 rows"),
        ("shop.inter", INTER.split("\n")[0] + "\n", "has a header and no rows"),
        ("i_id_mapping.csv", "asin,itemID\na,0\nb,1\n", "number 2 of the interactions is not in it"),
        ("i_id_mapping.csv", "asin,itemID\na,0\na,1\n", "an id or a number comes twice"),
        ("i_id_mapping.csv", "asin\na\n", "has 1 columns; two are needed"),
    ],
)
def test_bad_folders_get_one_clear_error(folder: Path, name: str, content: str, message: str) -> None:
    write(folder / name, content)
    with pytest.raises(InputError, match=message):
        read_mmrec(folder)


@pytest.mark.parametrize("rows", [3, 5])
def test_matrices_need_a_row_for_each_item(folder: Path, rows: int) -> None:
    np.save(folder / "image_feat.npy", np.ones((rows, 2)))
    with pytest.raises(InputError, match=f"has {rows} rows and the interactions 4 items"):
        read_mmrec(folder)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_mmrec(tmp_path / "none")
    with pytest.raises(InputError, match="found: none"):
        read_mmrec(tmp_path)


@pytest.mark.realdata
def test_baby_and_tiktok_have_their_published_counts(shared_data: Path) -> None:
    baby = read_mmrec(shared_data / "baby").counts()
    assert baby == {
        "users": 19445, "items": 7050, "interactions": 160792, "train": 118551, "validation": 20559, "test": 21682
    }  # fmt: skip
    tiktok = read_mmrec(shared_data / "tiktok")
    assert tiktok.counts() == {
        "users": 9308, "items": 6710, "interactions": 68722, "train": 59541, "validation": 3051, "test": 6130
    }  # fmt: skip
    for name in ("image", "audio"):
        stored = np.load(shared_data / "tiktok" / f"{name}_feat.npy", allow_pickle=False)
        np.testing.assert_array_equal(tiktok.features(name).matrix, stored.astype(np.float32))


def test_a_column_of_weights_is_taken(folder: Path) -> None:
    write(folder / "shop.inter", "userID\titemID\tweight\n0\t3\t2.5\n0\t1\t1\n")
    np.save(folder / "image_feat.npy", np.ones((4, 2)))
    weight = read_mmrec(folder).interactions.weight
    assert weight is not None
    assert sorted(weight.tolist()) == [1.0, 2.5]
