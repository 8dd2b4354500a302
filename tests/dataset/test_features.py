from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from alignrec_geo.dataset import Features
from alignrec_geo.errors import InputError


def some(name: str = "image") -> Features:
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    return Features(name, matrix, np.array([True, False, True]), {"made": "by hand"})


def test_rows_of_items_without_the_modality_are_zero() -> None:
    features = some()
    assert features.matrix.tolist() == [[0, 1], [0, 0], [4, 5]]
    assert features.width == 2


def test_file_round_trip(tmp_path: Path) -> None:
    some().save(tmp_path / "image.safetensors")
    read = Features.load(tmp_path / "image.safetensors")
    assert read.name == "image"
    assert read.meta == {"made": "by hand"}
    np.testing.assert_array_equal(read.matrix, some().matrix)
    np.testing.assert_array_equal(read.present, some().present)


@pytest.mark.parametrize("name", ["a/b", "", "none", ".x", "a b"])
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="a feature name takes"):
        some(name)


def test_wrong_shapes_and_values_are_refused() -> None:
    with pytest.raises(InputError, match=r"must be a matrix \[items, width\] \(got shape \(3,\)\)"):
        Features("image", np.zeros(3, dtype=np.float32), np.ones(3, dtype=np.bool_))
    with pytest.raises(InputError, match=r"the mask has shape \(2,\)"):
        Features("image", np.zeros((3, 1), dtype=np.float32), np.ones(2, dtype=np.bool_))
    bad = np.array([[1.0], [np.nan], [np.inf]], dtype=np.float32)
    with pytest.raises(InputError, match=r"NaN or infinity in 2 of 3 rows \(first: row 1\)"):
        Features("image", bad, np.ones(3, dtype=np.bool_))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Features.load(tmp_path / "none.safetensors")
    some().save(tmp_path / "cut.safetensors")
    content = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-4])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        Features.load(tmp_path / "cut.safetensors")
    save_file({"weights": np.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="has no tensor 'matrix'; there are: weights"):
        Features.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float64])
def test_narrow_floats_are_read_exactly(tmp_path: Path, kind: torch.dtype) -> None:
    tensors = {"matrix": torch.tensor([[1.5, -2.0]]).to(kind), "present": torch.tensor([True])}
    save_torch(tensors, tmp_path / "f.safetensors")
    assert Features.load(tmp_path / "f.safetensors").matrix.tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize(
    ("header", "matrix", "present"),
    [
        ("not JSON", torch.ones(1, 2), torch.ones(1, dtype=torch.bool)),
        ("[1]", torch.ones(1, 2), torch.ones(1, dtype=torch.bool)),
        ("[" * 100_000, torch.ones(1, 2), torch.ones(1, dtype=torch.bool)),
        ('{"name": 3}', torch.ones(1, 2), torch.ones(1, dtype=torch.bool)),
        ('{"meta": [1]}', torch.ones(1, 2), torch.ones(1, dtype=torch.bool)),
        ('{"meta": {"a": 1}}', torch.ones(1, 2), torch.ones(1, dtype=torch.bool)),
        ("{}", torch.ones(1, 2), torch.ones(1)),
        ("{}", torch.ones(1, 2, dtype=torch.bool), torch.ones(1, dtype=torch.bool)),
        ("{}", torch.ones(1, 2, dtype=torch.complex64), torch.ones(1, dtype=torch.bool)),
    ],
)
def test_feature_files_with_something_else_in_them_are_refused(
    tmp_path: Path, header: str, matrix: torch.Tensor, present: torch.Tensor
) -> None:
    save_torch({"matrix": matrix, "present": present}, tmp_path / "f.safetensors", {"features": header})
    with pytest.raises(InputError, match=r"f\.safetensors: not a (readable )?feature file"):
        Features.load(tmp_path / "f.safetensors")


@pytest.mark.parametrize(
    "matrix",
    [
        [[1.5, 0.0]],
        np.array([[1.5, 0.0]], dtype=np.float16),
        torch.tensor([[1.5, 0.0]], dtype=torch.bfloat16),
        torch.tensor([[1.5, 0.0]], requires_grad=True),
        torch.tensor([[1.5, 0.0]]).to_sparse(),
    ],
)
def test_any_array_of_numbers_is_a_matrix(matrix: object) -> None:
    features = Features("image", matrix, [True])  # type: ignore[arg-type]
    assert features.matrix.tolist() == [[1.5, 0.0]]
    assert features.matrix.dtype == np.float32


@pytest.mark.parametrize(
    ("matrix", "present"),
    [([["a"]], [True]), ([[None]], [True]), ([[1.0]], [1]), ([[1.0]], ["yes"]), ([[1j]], [True])],
)
def test_what_holds_no_numbers_or_truth_values_is_refused(matrix: object, present: object) -> None:
    with pytest.raises(InputError, match=r"features 'image': '(matrix|present)' holds"):
        Features("image", matrix, present)  # type: ignore[arg-type]


def test_half_precision_halves_the_file_and_is_float32_to_models(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).standard_normal((200, 64)).astype(np.float32)
    whole = Features("image", matrix, np.ones(200, dtype=np.bool_), {"made": "by hand"})
    half = whole.half()
    for features, name in ((whole, "whole"), (half, "half")):
        features.save(tmp_path / name)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.52 * sizes[0]
    read = Features.load(tmp_path / "half")
    assert read.matrix.dtype == np.float32
    assert np.array_equal(read.matrix, half.matrix)  # what is in memory is what is stored
    assert np.allclose(read.matrix, matrix, rtol=1e-3, atol=1e-6)
    assert read.meta == {"made": "by hand", "stored as": "float16"}
    read.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "half").read_bytes()
    with pytest.raises(InputError, match=r"float16 holds numbers up to 65,504 \(got 100000\)"):
        Features("image", np.full((1, 1), 1e5), np.ones(1, dtype=np.bool_)).half()
