from pathlib import Path

import pytest

from alignrec_geo.dataset import SplitConfig
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.readers.movielens import read_movielens
from alignrec_geo.errors import InputError
from tests.dataset.toys import png, write


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write(tmp_path / "u.data", "7\t1\t5\t881250949\n7\t2\t3\t881250950\n8\t1\t1\t881250951\n")
    write(tmp_path / "u.genre", "unknown|0\nComedy|1\nDrama|2\n\n")
    films = "1|Café Noir (1995)|01-Jan-1995||http://x|0|1|1\n2|Plain|||http://y|0|0|0\n3|Unseen|||http://z|1|0|0\n"
    (tmp_path / "u.item").write_bytes(films.encode("latin-1"))
    return tmp_path


@pytest.fixture
def million(tmp_path: Path) -> Path:
    write(tmp_path / "ratings.dat", "1::10::5::978300760\n2::10::4::978300761\n2::20::3::978300762\n")
    films = "10::Amélie: a tale (2001)::Comedy|Romance\n20::Heat (1995)::Action\n30::Unseen::Drama\n"
    (tmp_path / "movies.dat").write_bytes(films.encode("latin-1"))
    return tmp_path


def test_100k(small: Path) -> None:
    data = read_movielens(small)
    assert data.name == "ml-100k"
    assert data.items.select("id", "title", "text").rows() == [
        ("1", "Café Noir (1995)", "Comedy, Drama"),
        ("2", "Plain", None),
    ]
    assert data.interactions.rating is not None
    assert data.interactions.rating.tolist() == [5, 3, 1]
    assert data.interactions.timestamp is not None
    assert data.interactions.timestamp.tolist() == [881250949, 881250950, 881250951]
    assert data.split_config == SplitConfig()


def test_1m(million: Path) -> None:
    data = read_movielens(million, name="ml", split=SplitConfig(rule="leave-last"), all_items=True)
    assert data.name == "ml"
    assert data.items.select("id", "title", "text").rows() == [
        ("10", "Amélie: a tale (2001)", "Comedy, Romance"),
        ("20", "Heat (1995)", "Action"),
        ("30", "Unseen", "Drama"),
    ]
    assert len(data.interactions) == 3


def test_more_metadata_filters_and_images(small: Path, tmp_path: Path) -> None:
    items = write(tmp_path / "m.jsonl", '{"movieID": 1, "plot": "A tale."}\n')
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(png())
    data = read_movielens(
        small, items=items, text=("plot",), images=tmp_path / "photos", filters=FilterConfig(min_rating=3)
    )
    assert data.items["text"].to_list() == ["A tale.", None]
    assert len(data.interactions) == 2
    assert data.save(tmp_path / "out").items["image"].to_list() == ["images/1.png", None]


def test_what_is_not_movielens(tmp_path: Path, small: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_movielens(tmp_path / "none")
    with pytest.raises(InputError, match="text= needs a file of items"):
        read_movielens(small, text=("plot",))
    write(small / "u.genre", "unknown|0\n|1\n")
    with pytest.raises(InputError, match=r"u\.genre: line 2 has no id in column 'name'"):
        read_movielens(small)
    (small / "u.data").unlink()
    with pytest.raises(InputError, match="neither MovieLens 100K"):
        read_movielens(small)
    write(small / "u.data", "7\t1\t5\n")
    with pytest.raises(InputError, match="line 1 has 3 fields; 4 columns are named"):
        read_movielens(small)


@pytest.mark.realdata
@pytest.mark.slow
def test_ml_100k_has_its_counts(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ml-100k"
    data = read_movielens(
        folder, items=folder / "movies.jsonl.gz", text=("omdb.Plot",), images=folder / "posters_92.tar"
    ).save(tmp_path / "ml-100k")
    counts = data.counts()
    assert (counts["users"], counts["items"], counts["interactions"]) == (943, 1682, 100000)
    assert data.items["title"][0] == "Toy Story (1995)"
    assert data.items["image"].count() == 1663
