"""The default image encoder on a tiny network in the place of the packages, which are large and need not be there."""

import hashlib
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from alignrec_geo.content.beit3 import task as beit3
from alignrec_geo.content.encoders import lite0, open_image_encoder, packages
from alignrec_geo.content.encoders.packages import PackagedFile
from alignrec_geo.files import sha256_of

CODE = """
import torch
from torch import nn

class EfficientNet(nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = nn.Conv2d(3, 4, 16, stride=16), nn.Identity()
        self._blocks = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(11))
        self._blocks.append(nn.Conv2d(4, 6, 2, stride=2))
        self._conv_head, self._bn1, self._swish = nn.Conv2d(6, 5, 1), nn.Identity(), nn.ReLU()

    @classmethod
    def from_name(cls, name):
        assert name == "efficientnet-lite0"
        return cls()
"""


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """The network that the packages would hold, with other weights than it is made with."""
    for name in ("toy_lite", "toy_lite_weights"):
        (tmp_path / name).mkdir()
    (tmp_path / "toy_lite" / "__init__.py").write_text(CODE)
    (tmp_path / "toy_lite_weights" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    import toy_lite

    with torch.random.fork_rng(devices=[]):
        net = toy_lite.EfficientNet()
    file = tmp_path / "toy_lite_weights" / "w.pth"
    torch.save(net.state_dict(), file)
    for module in (lite0, packages):
        monkeypatch.setattr(
            module, "LITE0", PackagedFile("toy-weights", "1", "toy_lite_weights", "w.pth", sha256_of(file))
        )
        code = PackagedFile("toy", "1", "toy_lite", "__init__.py", sha256_of(tmp_path / "toy_lite" / "__init__.py"))
        monkeypatch.setattr(module, "LITE_CODE", code)
    yield net.eval()
    for name in ("toy_lite", "toy_lite_weights"):
        sys.modules.pop(name, None)


def test_a_map_of_the_tenth_block_and_the_mean_of_the_last_layer(packaged):
    before = torch.get_rng_state()
    encoder = open_image_encoder()
    assert torch.equal(torch.get_rng_state(), before)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8))
    prepared = encoder.prepare(image)
    assert prepared.shape == (224, 224, 3)
    out = encoder.encode(np.stack([prepared, np.full_like(prepared, 127)]))
    x = packaged._conv_stem((torch.from_numpy(prepared.copy()).permute(2, 0, 1)[None].float() - 127) / 128).relu()
    for block in packaged._blocks[:11]:
        x = block(x)
    torch.testing.assert_close(out.patches[0], x[0].flatten(1).T, atol=1e-5, rtol=1e-5)
    pooled = packaged._conv_head(packaged._blocks[11](x)).relu().mean(dim=(2, 3))[0]
    torch.testing.assert_close(out.pooled[0], pooled, atol=1e-5, rtol=1e-5)
    wanted = f"lite0-1 {lite0.LITE0.sha256} {lite0.LITE_CODE.sha256}"
    assert encoder.fingerprint == hashlib.sha256(wanted.encode()).hexdigest()
    assert not any(parameter.requires_grad for parameter in encoder._net.parameters())


def test_codes_are_the_target_where_the_packages_are_there(packaged, monkeypatch):
    assert beit3._target("auto", "package", None) == "codes"
    assert beit3._target("auto", "a/folder", None) == "codes"
    for module in (lite0, packages):
        monkeypatch.setattr(module, "LITE0", PackagedFile("toy-none", "1", "toy_none", "x", ""))
    assert beit3._target("auto", "package", None) == "pixels"
