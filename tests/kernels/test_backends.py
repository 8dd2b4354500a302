from pathlib import Path

from alignrec_geo.kernels import backends as module
from alignrec_geo.kernels.backends import OPERATIONS, backends, optional_packages


def test_every_operation_has_a_file_and_a_row():
    folder = Path(module.__file__).parent
    assert all((folder / f"{name}.py").exists() for name in OPERATIONS)
    assert [row.operation for row in backends()] == list(OPERATIONS)
    assert {row.runs for row in backends()} == {"torch"}


def test_optional_packages_are_looked_for():
    assert {"triton", "torch_sparse", "torch_scatter"} <= {row.package for row in optional_packages()}
