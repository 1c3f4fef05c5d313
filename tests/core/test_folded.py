import pytest
import torch
from torch.nn import functional

from napari_ptychonn.core.folded import Double, doubled


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 1, 1), (3, 8, 2, 4)])
def test_enlarging_one_axis_after_the_other_is_bilinear(shape):
    images = torch.randn(shape)
    whole = doubled(doubled(images, 2), 3)
    torch.testing.assert_close(whole, Double()(images))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("channels", [3, 8, 16])
def test_a_gpu_enlarges_alike(channels):
    images = torch.randn(4, channels, 16, 16).to(memory_format=torch.channels_last)
    found = Double()(images.cuda())
    assert found.is_contiguous(memory_format=torch.channels_last)
    expected = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-6)
