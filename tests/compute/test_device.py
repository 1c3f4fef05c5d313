import pytest

from napari_ptychonn.compute.device import choose_device
from napari_ptychonn.errors import InputError


def test_auto_without_a_gpu_is_the_cpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("torch.xpu.is_available", lambda: False, raising=False)
    device = choose_device()
    assert device.name == "cpu"
    assert "GPU" in device.reason


def test_gpu_is_preferred(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Test GPU")
    device = choose_device()
    assert (device.name, device.reason) == ("cuda", "found Test GPU")


@pytest.mark.parametrize("name", ["no-such-thing", "cuda:99"])
def test_what_is_not_there_is_one_sentence(name):
    with pytest.raises(InputError, match=f"device '{name}' cannot be used"):
        choose_device(name)


def test_the_cpu_can_always_be_chosen():
    assert choose_device("cpu").reason == "as chosen"
