"""The processes that train one network together, on one machine or on many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from napari_ptychonn.compute.device import Device, choose_device
from napari_ptychonn.errors import InputError, LostProcessError

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = timedelta(minutes=10)
"""How long a member waits for another: reading frames takes some longer than others."""

LOST = "another process of this training has ended, or no longer answers; the training ends too."


@dataclass(frozen=True, kw_only=True)
class ProcessGroup:
    """One member's view of the team; a team of one costs nothing.

    All members make the same random choices for the whole batch and work off
    their own share of it, so that the result does not depend on how many there
    are.  Whatever is exchanged must be exchanged by all, in the same order.

    Attributes
    ----------
    rank : int
        This member, from 0; the first one speaks, validates and saves.
    size : int
        Members.
    local_rank : int
        This member among those of its machine: the GPU that it takes.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this member speaks, validates and saves."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` things are this member's; none where there are fewer than members."""
        return range(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def device(self, wanted: str) -> Device:
        """Choose this member's device: every process of a machine takes a GPU of its own.

        Raises
        ------
        InputError
            When there is none for it, or the kind cannot be shared out.
        """
        chosen = choose_device(wanted)
        if self.size == 1 or chosen.name == "cpu":
            return chosen
        if wanted == "auto" and chosen.name in ("mps", "xpu"):
            return Device(name="cpu", reason=f"several processes cannot share {chosen.name}")
        if chosen.name != "cuda":
            raise InputError(
                f"several processes train on 'cuda', one GPU each, or on 'cpu'; got '{wanted}'."
            )
        import torch

        count = torch.cuda.device_count()
        if self.local_rank >= count:
            raise InputError(
                f"process {self.local_rank + 1} on this machine finds {count} GPU(s); start one "
                "process for each GPU, or choose the device 'cpu'."
            )
        torch.cuda.set_device(self.local_rank)
        return Device(name=f"cuda:{self.local_rank}", reason=chosen.reason)

    def add(self, values: Tensor) -> Tensor:
        """Sum over all members, in place; gradients do not follow."""
        if self.size > 1:
            from torch import distributed

            with _lost_members():
                distributed.all_reduce(values)
        return values

    def agree(self, flag: bool) -> bool:
        """Whether any member says so."""
        if self.size == 1:
            return flag
        import torch

        return bool(self.add(torch.tensor(float(flag))) > 0)

    def broadcast(self, values: Tensor) -> Tensor:
        """Replace values, in place, by those of the first member."""
        if self.size > 1:
            from torch import distributed

            with _lost_members():
                distributed.broadcast(values, 0)
        return values


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """Join the team that torchrun, or `train --processes`, started this process for.

    Yields
    ------
    Team
        A team of one in a process that nobody started for a team.

    Raises
    ------
    InputError
        When the others cannot be reached.
    """
    place = rank()
    if place is None:
        yield ProcessGroup()
        return
    from torch import distributed

    if not (distributed.is_available() and distributed.is_gloo_available()):
        raise InputError("this torch was built without 'gloo', which several processes need.")
    # The defaults of its functions keep the process group that exists when it is first imported
    # (torch.optim imports it), so that destroy_process_group could not end gloo's threads. One of
    # these may free its last tensor while the interpreter is shutting down, and then aborts the
    # process (SIGABRT). Imported before there is a group, it keeps none.
    import_module("torch.distributed.nn.functional")
    team = ProcessGroup(
        rank=place,
        size=int(os.environ["WORLD_SIZE"]),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
    )
    try:
        distributed.init_process_group(_backends(), timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise InputError(f"the processes of this training cannot meet: {first}") from error
    try:
        yield team
    finally:
        distributed.destroy_process_group()


def rank() -> int | None:
    """Place of this process among those it was started with; None in one that is alone."""
    several = int(os.environ.get("WORLD_SIZE") or 1) > 1
    return int(os.environ["RANK"]) if several and "RANK" in os.environ else None


def _backends() -> str:
    """Gloo for what lies in memory, NCCL for what lies on a GPU."""
    from torch import distributed

    return "cpu:gloo,cuda:nccl" if distributed.is_nccl_available() else "gloo"


@contextmanager
def _lost_members() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo's for a broken connection, torch's for a timeout
        raise LostProcessError(LOST) from error
