"""The constructors that take frames and graphs have parameters of their own, those of the readers behind them."""

import inspect

import pytest

from alignrec_geo import Dataset
from alignrec_geo.dataset.readers.frame import from_frame
from alignrec_geo.dataset.readers.hetero import from_hetero


@pytest.mark.parametrize(
    ("constructor", "reader"), [(Dataset.from_frame, from_frame), (Dataset.from_hetero, from_hetero)]
)
def test_parameters_are_named_typed_and_explained(constructor, reader):
    parameters = inspect.signature(constructor).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        name: one.default for name, one in inspect.signature(reader).parameters.items()
    }
    for name, one in parameters.items():
        assert one.kind is not inspect.Parameter.VAR_KEYWORD
        assert one.annotation is not inspect.Parameter.empty
        assert f"    {name}: " in (constructor.__doc__ or ""), name
