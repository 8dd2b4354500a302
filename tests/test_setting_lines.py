"""What settings say of themselves."""

from enum import Enum
from typing import Literal

import pytest
from pydantic import Field, create_model

from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.models import MODELS
from alignrec_geo.setting_lines import SettingLine, setting_lines
from alignrec_geo.settings import Settings
from alignrec_geo.training import TrainingConfig


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Base(Settings):
    """A class."""

    width: int = Field(default=8, ge=1, lt=10_000)
    """How wide,
    in pixels."""
    plain: str = "x"


class Derived(Base):
    colour: Colour = Colour.RED
    """Of the frame."""
    kind: Literal["a", "b"] | None = None
    share: float = Field(default=0.5, gt=0.0, le=1.0)
    width: int = Field(default=9, ge=2)
    """How wide now."""


def test_names_defaults_documentation_and_bounds():
    assert setting_lines(Base) == [
        SettingLine("width", 8, "How wide, in pixels.", "at least 1, less than 10,000"),
        SettingLine("plain", "x", "", ""),
    ]
    assert {line.name: line for line in setting_lines(Derived)} == {
        "width": SettingLine("width", 9, "How wide now.", "at least 2"),
        "plain": SettingLine("plain", "x", "", ""),
        "colour": SettingLine("colour", "red", "Of the frame.", "one of red, blue"),
        "kind": SettingLine("kind", None, "", "one of a, b"),
        "share": SettingLine("share", 0.5, "", "more than 0, at most 1"),
    }


def test_a_class_without_source_has_no_documentation():
    made = create_model("Made", __base__=Settings, width=(int, 3))
    assert setting_lines(made) == [SettingLine("width", 3, "", "")]


@pytest.mark.parametrize("kind", [TrainingConfig, KernelConfig, *(model.config_class for model in MODELS.values())])
def test_every_setting_is_documented(kind):
    for line in setting_lines(kind):
        assert line.doc.endswith("."), f"{kind.__name__}.{line.name}"
