import pytest
import torch
from torch import nn
from torch.nn import functional

from napari_ptychonn.network.inference.fusion import Double, double_axis, fuse, fuse_parallel_convs


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 1, 1), (3, 8, 2, 4)])
def test_enlarging_one_axis_after_the_other_is_bilinear(shape):
    images = torch.randn(shape)
    whole = double_axis(double_axis(images, 2), 3)
    torch.testing.assert_close(whole, Double()(images))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("channels", [3, 8, 16])
def test_a_gpu_enlarges_alike(channels):
    images = torch.randn(4, channels, 16, 16).to(memory_format=torch.channels_last)
    found = Double()(images.cuda())
    assert found.is_contiguous(memory_format=torch.channels_last)
    expected = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("shape", [(2, 5, 6, 4), (1, 3, 1, 2), (2, 4, 8, 8)])
def test_channels_may_be_summed_before_they_are_enlarged(mode, shape):
    align = False if mode == "bilinear" else None
    enlarge = nn.Upsample(scale_factor=2, mode=mode, align_corners=align)
    part = nn.Sequential(enlarge, nn.Conv2d(shape[1], 1, 3, padding=1)).eval()
    quick, images = fuse(part), torch.randn(shape)
    assert len(quick) == 1
    with torch.inference_mode():
        for order in (torch.contiguous_format, torch.channels_last):
            found = quick(images.contiguous(memory_format=order))
            torch.testing.assert_close(found, part(images), rtol=1e-5, atol=1e-6)


def test_parts_fuse_parallel_convs_return_what_each_returns():
    parts = [
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), Double(), nn.Conv2d(4, 2, 1)).eval()
        for _ in range(2)
    ]
    images = torch.randn(2, 3, 6, 5)
    with torch.inference_mode():
        expected = torch.cat([part(images) for part in parts], dim=1)
        torch.testing.assert_close(fuse_parallel_convs(parts)(images), expected)
