"""Weights of the published PyTorch network, and what is no such thing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.interop.published_weights import read_published
from napari_ptychonn.network.model import TrainedModel


class ReconModel(nn.Module):
    """As the notebook of 2020 defines it: bilinear, sigmoid, π tanh."""

    def __init__(self, n: int = 32) -> None:
        super().__init__()

        def two(a: int, b: int) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1),
                    nn.ReLU()]  # fmt: skip

        def up() -> nn.Module:
            return nn.Upsample(scale_factor=2, mode="bilinear")

        def decoder(last: nn.Module) -> nn.Sequential:
            return nn.Sequential(
                *two(4 * n, 4 * n), up(), *two(4 * n, 2 * n), up(), *two(2 * n, 2 * n), up(),
                nn.Conv2d(2 * n, 1, 3, padding=1), last,
            )  # fmt: skip

        self.encoder = nn.Sequential(
            *two(1, n), nn.MaxPool2d(2), *two(n, 2 * n), nn.MaxPool2d(2), *two(2 * n, 4 * n),
            nn.MaxPool2d(2),
        )  # fmt: skip
        self.decoder1 = decoder(nn.Sigmoid())
        self.decoder2 = decoder(nn.Tanh())

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        code = self.encoder(x)
        return self.decoder1(code), self.decoder2(code) * math.pi


@pytest.fixture
def published() -> ReconModel:
    torch.manual_seed(0)
    return ReconModel().eval()


@pytest.fixture
def scan() -> Scan:
    rng = np.random.default_rng(0)
    frames = rng.poisson(3.0, (3, 256, 256)).astype(np.uint16)
    positions = np.arange(6.0).reshape(3, 2) * 1e-8
    return Scan(frames=frames, positions=positions, unit="m", pixel_size=(1e-8, 1e-8))


def save(path: Path, state: Any) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.parametrize("form", ["plain", "parallel", "checkpoint"])
def test_it_predicts_as_the_notebook_does(
    form: str, published: ReconModel, scan: Scan, tmp_path: Path
) -> None:
    state: Any = dict(published.state_dict())
    if form == "parallel":
        state = {f"module.{k}": v for k, v in state.items()}
    if form == "checkpoint":
        state = {"state_dict": state, "epoch": 5}
    model = read_published(save(tmp_path / "w.pth", state), scan, crop=192)
    frames = torch.from_numpy(scan.frames[:, 32:224, 32:224].astype(np.float32))
    seen = nn.functional.avg_pool2d(frames[:, None], 3)
    with torch.no_grad():
        amplitude, phase = published(seen)
    made = next(iter(model.predict(scan, device="cpu")))
    np.testing.assert_allclose(made.amplitude, amplitude[:, 0].numpy(), atol=1e-5)
    np.testing.assert_allclose(made.phase, phase[:, 0].numpy(), atol=1e-5)


def test_it_is_a_model_like_any_other(published: ReconModel, scan: Scan, tmp_path: Path) -> None:
    model = read_published(save(tmp_path / "w.pth", published.state_dict()), scan)
    assert model.preprocessing.bin == 4
    assert model.preprocessing.window == (0, 0, 256, 256)
    model.save(tmp_path / "model.safetensors")
    back = TrainedModel.load(tmp_path / "model.safetensors")
    assert back.provenance["imported_from"] == "w.pth"
    assert back.pixel_size == (1e-8, 1e-8)


def _without(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in state.items() if k != name}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: _without(s, "decoder2.15.bias"), "phase.15.bias is missing"),
        (lambda s: s | {"encoder.14.weight": torch.ones(2)}, "encoder.14.weight is not in"),
        (lambda s: s | {"decoder1.15.bias": torch.ones(2)}, "expected shape"),
        (lambda s: s | {"down_1.weight": torch.ones(2)}, "not one of the published"),
        (lambda s: s | {"encoder.0.bias": torch.full((32,), torch.nan)}, "not finite"),
        (lambda s: {}, "expected weights by name"),
        (lambda s: [1, 2], "expected weights by name"),
        (lambda s: _without(s, "encoder.0.weight"), "first convolution"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(
    change: Any, expected: str, published: ReconModel, scan: Scan, tmp_path: Path
) -> None:
    path = save(tmp_path / "w.pth", change(dict(published.state_dict())))
    with pytest.raises(InputError, match=expected) as error:
        read_published(path, scan)
    assert error.value.file == path


def test_a_pickled_network_is_not_opened(published: ReconModel, scan: Scan, tmp_path: Path) -> None:
    """The notebook's `torch.save(model)` on one GPU: a program, not weights."""
    torch.save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "whole.pth")
    with pytest.raises(InputError, match="holds more than weights"):
        read_published(tmp_path / "whole.pth", scan)


@pytest.mark.parametrize("content", [b"", b"not a file of torch", b"PK\x03\x04" + bytes(90)])
def test_damaged(content: bytes, scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_published(tmp_path / "w.pth", scan)
    assert error.value.file == tmp_path / "w.pth"


def test_a_crop_that_does_not_fit(published: ReconModel, scan: Scan, tmp_path: Path) -> None:
    path = save(tmp_path / "w.pth", published.state_dict())
    with pytest.raises(InputError, match="multiple of 64"):
        read_published(path, scan, crop=200)
