"""Choice of the torch device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Device:
    """A torch device by name ('cuda', 'mps', 'xpu', 'cpu') and the reason for the choice."""

    name: str
    reason: str


def choose_device(name: str = "auto") -> Device:
    """Choose the fastest device of this machine, or check the named one.

    Parameters
    ----------
    name : str
        'auto', or a torch device such as 'cpu' or 'cuda:1'.

    Raises
    ------
    InputError
        When the named device cannot be used.
    """
    if name != "auto":
        _require(name)
        return Device(name=name, reason="as chosen")
    import torch

    if torch.cuda.is_available():
        return Device(name="cuda", reason=f"found {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Device(name="mps", reason="found an Apple GPU")
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        return Device(name="xpu", reason="found an Intel GPU")
    if torch.version.cuda is None and torch.version.hip is None:
        return Device(name="cpu", reason="this torch was built without GPU support")
    return Device(name="cpu", reason="torch found no GPU on this machine")


def move_async(values: Tensor, device: torch.device) -> Tensor:
    """Move values to a device without waiting for it."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def _require(name: str) -> None:
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise InputError(f"device '{name}' cannot be used: {first_line}") from error
