import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.triton import launch
from alignrec_geo.kernels.triton.compile import compile_all


@pytest.mark.skipif(not launch.INTERPRETED, reason="these kernels are compiled")
def test_interpreted_kernels_are_not_compiled():
    with pytest.raises(InputError, match="unset TRITON_INTERPRET"):
        compile_all()


@pytest.mark.parametrize(("width", "tile"), [(1, 16), (16, 16), (17, 32), (128, 128), (129, 128)])
def test_padded(width, tile):
    assert launch.padded(width, 16, 128) == tile
