from typing import ClassVar

import pytest

from alignrec_geo.content.beit3.settings import Beit3Settings
from alignrec_geo.content.frozen.task import FrozenConfig
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.settings import Settings, check_keys, checked, home_of, parse_setting


def test_errors_name_the_key_and_what_was_given() -> None:
    with pytest.raises(InputError, match=r"^k_core: Input should be greater than or equal to 1 \(got 0\)$"):
        checked(FilterConfig, {"k_core": 0})
    with pytest.raises(InputError, match=r"^validation \+ test must be below 1 \(got 0\.6 \+ 0\.5\)$"):
        checked(SplitConfig, {"validation": 0.6, "test": 0.5})
    with pytest.raises(InputError, match=r"^a\.toml: filters\.k_core: .* \(got 0\)$"):
        checked(FilterConfig, {"k_core": 0}, section="filters", prefix="a.toml: ")


def test_former_names_of_settings_are_accepted_once():
    class Shape(Settings):
        renamed: ClassVar[dict[str, str]] = {"longest": "max_tokens"}

        max_tokens: int = 8

    assert Shape(longest=5) == Shape(max_tokens=5)
    assert home_of("encoder.longest", {"encoder": Shape}) == ("encoder", "max_tokens")
    assert parse_setting("longest=5", {"encoder": Shape}) == ("encoder", "max_tokens", 5)
    check_keys("encoder", {"longest": 5}, Shape)
    with pytest.raises(InputError, match="'longest' is the former name of 'max_tokens'; give it once"):
        Shape(longest=5, max_tokens=5)


@pytest.mark.parametrize("kind", [FrozenConfig, Beit3Settings, KernelConfig])
def test_every_former_name_leads_to_a_setting_of_another_name(kind):
    assert kind.renamed
    for former, name in kind.renamed.items():
        assert name in kind.model_fields
        assert former not in kind.model_fields
