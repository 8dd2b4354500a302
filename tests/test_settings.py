import pytest

from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.errors import InputError
from alignrec_geo.settings import checked


def test_errors_name_the_key_and_what_was_given() -> None:
    with pytest.raises(InputError, match=r"^k_core: Input should be greater than or equal to 1 \(got 0\)$"):
        checked(FilterConfig, {"k_core": 0})
    with pytest.raises(InputError, match=r"^validation \+ test must be below 1 \(got 0\.6 \+ 0\.5\)$"):
        checked(SplitConfig, {"validation": 0.6, "test": 0.5})
    with pytest.raises(InputError, match=r"^a\.toml: filters\.k_core: .* \(got 0\)$"):
        checked(FilterConfig, {"k_core": 0}, section="filters", prefix="a.toml: ")
