"""The child process: runs pty-chi on what lies in a folder, and tells how it goes.

``python -m napari_ptychonn.reconstruction.worker FOLDER``, started by
`napari_ptychonn.reconstruction.worker_process`.  One JSON object per line goes to its
standard output; 'stop' and 'taken' come back on its standard input.  When that
closes, nobody listens any more, and the process ends.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptychonn.compute.device import choose_device
from napari_ptychonn.compute.openmp import wait_passively
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.job_folder import (
    FRAMES,
    VALID,
    Job,
    State,
    overwrite_state,
    read_state,
)

if TYPE_CHECKING:
    from torch import Tensor

BATCH = {"cpu": 32, "cuda": 256, "xpu": 256}
"""Frames per update where neither options nor crowding say less."""

REGULARISATION = 0.1
"""rPIE's α for object and probe: measured, see docs/reconstruct.md."""

CORRECT_FROM = 10
"""Iterations before positions are corrected: an object must be there first."""

STATE_PAUSE = 0.5
"""Seconds between two states that are handed over, at least."""

STORE_ON_GPU = 0.4
"""Frames go to the GPU once and for all when they fit into this part of its free memory."""


class Stopped(Exception):  # noqa: N818 - not an error
    """The parent has asked to stop, in mid-iteration."""


class Parent:
    """The process that asked for this: what it says, and what is said to it."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        """Folder of the job, once it has turned out to be one."""
        # Whatever else prints must not come between the messages.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.stop, self.taken = threading.Event(), threading.Event()
        self.taken.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, **message: Any) -> None:
        """Send one message."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def _listen(self) -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                self.stop.set()
            elif line.strip() == "taken":
                self.taken.set()
        # Closed: the parent is done with us, or gone without having been able to clear up.
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)


def main(folder: Path) -> int:
    """Run the job; 0 when it ended as it should."""
    # The parent decides what Ctrl-C means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Parent()
    try:
        Run(folder, parent).iterate()
    except InputError as error:
        parent.tell(failed=str(error), defect=False)
    except Exception as error:
        traceback.print_exc()
        parent.tell(failed=_sentence(error), defect=not _is_memory(error))
    else:
        return 0
    return 1


class Run:
    """One reconstruction: the task as pty-chi has it, and what is told about it."""

    def __init__(self, folder: Path, parent: Parent) -> None:
        self.folder, self.parent = folder, parent
        self.job = Job.load(folder)
        parent.folder = folder
        self.frames: Any = np.load(folder / FRAMES, mmap_mode="c")
        self.scale = math.sqrt(math.prod(self.frames.shape[1:]))
        wait_passively()
        import torch

        self.device = _device(self.job.device)
        torch.set_num_threads(self.job.options.threads or 1)
        parent.tell(messages=self.device.messages)
        self.task = self._task()
        self.task.reconstructor.run_post_update_hooks = self._look_up
        self.seconds = self.error = 0.0

    def iterate(self) -> None:
        """Iterate until the end, or until asked to stop; the error is that of whole iterations."""
        total, handed_over = self.job.options.iterations, -math.inf
        for number in range(1, total + 1):
            stopped = self._step()
            if not stopped:
                self.error = self._error()
            if not math.isfinite(self.error):
                self.parent.tell(diverged=number)
                return
            last = stopped or number == total or self.parent.stop.is_set()
            due = time.monotonic() - handed_over >= STATE_PAUSE and self.parent.taken.is_set()
            if last or due:
                self._hand_over()
                handed_over = time.monotonic()
            self.parent.tell(
                number=number - stopped,
                error=self.error,
                seconds=self.seconds,
                state=last or due,
                last=last,
            )
            if last:
                return

    def _step(self) -> bool:
        """One iteration; True when it was interrupted."""
        began = time.perf_counter()
        try:
            self.task.run(1)
        except Stopped:
            return True
        finally:
            self.device.synchronise()
            self.seconds += time.perf_counter() - began
        return False

    def _look_up(self) -> None:
        """After each batch."""
        if self.parent.stop.is_set():
            raise Stopped

    def _error(self) -> float:
        return float(self.task.reconstructor.loss_tracker.table["loss"].iloc[-1])

    def _hand_over(self) -> None:
        """Put the state where the parent reads it, once it has read the one before."""
        self.parent.taken.wait()
        self.parent.taken.clear()
        read = self.task.get_data_to_cpu
        state = State(
            object=read("object", as_numpy=True)[0],
            probe=read("probe", as_numpy=True)[0] * self.scale,
            positions=read("probe_positions", as_numpy=True).astype(np.float64),
        )
        overwrite_state(self.folder, state)

    def _task(self) -> Any:
        import torch

        ptychi = import_ptychi()
        state = read_state(self.folder)
        self.device.tell(ptychi)
        task = ptychi.task.PtychographyTask(
            self._options(ptychi.api, state),
            diffraction_data=torch.from_numpy(self.frames),
            object_data=state.object[None],
            # Its transform is not normalised.
            probe_data=(state.probe / self.scale)[None].astype(np.complex64),
            probe_position_y_px=torch.from_numpy(state.positions[:, 0].astype(np.float32)),
            probe_position_x_px=torch.from_numpy(state.positions[:, 1].astype(np.float32)),
            valid_pixel_mask=np.load(self.folder / VALID),
        )
        reconstructor = task.reconstructor
        reconstructor.dataloader = _batches(reconstructor.dataset, reconstructor.batch_size)
        reconstructor.loss_tracker.metric_function = FourierError(reconstructor.dataset)
        return task

    def _options(self, api: Any, state: State) -> Any:
        options = self.job.options
        made = {"epie": api.EPIEOptions, "rpie": api.RPIEOptions, "lsqml": api.LSQMLOptions}[
            options.algorithm
        ]()
        fixed = 0 if self.job.resumed else options.fixed_probe
        run, image, probe = made.reconstructor_options, made.object_options, made.probe_options
        run.default_device = api.Devices.CPU if self.device.name == "cpu" else api.Devices.GPU
        chosen = min(self.job.crowded, BATCH[self.device.name])
        run.batch_size = min(options.batch_size or chosen, len(self.frames))
        run.num_epochs, run.random_seed = options.iterations, options.seed
        image.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
        # So that a position is the object index of element N // 2 of its window.
        image.position_origin_coords = [-0.5 if n % 2 == 0 else 0.0 for n in state.probe.shape[-2:]]
        if options.algorithm != "lsqml":
            image.alpha = probe.alpha = 1.0 if options.algorithm == "epie" else REGULARISATION
        else:
            run.rescale_probe_intensity_in_first_epoch = not self.job.resumed
        image.step_size = probe.step_size = 1.0
        probe.optimization_plan.start = fixed
        places = made.probe_position_options
        places.optimizable = options.position_correction
        places.optimization_plan.start = 0 if self.job.resumed else CORRECT_FROM
        made.data_options.fft_shift = False
        made.data_options.save_data_on_device = self.device.holds(self.frames.nbytes)
        return made


class GraphicsDevice:
    """Where pty-chi computes: 'cpu', 'cuda' or 'xpu'."""

    def __init__(self, name: str, messages: list[str]) -> None:
        self.name, self.messages = name, messages

    def holds(self, size: int) -> bool:
        """Whether so many bytes may stay on the GPU."""
        import torch

        if self.name != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info()
        return size <= STORE_ON_GPU * free

    def synchronise(self) -> None:
        """Wait until everything is computed."""
        import torch

        if self.name != "cpu":
            getattr(torch, self.name).synchronize()

    def tell(self, ptychi: Any) -> None:
        """Let pty-chi know which kind of GPU it is."""
        import torch

        if self.name == "xpu":
            ptychi.device.set_torch_accelerator_module(torch.xpu)


def _device(wanted: str) -> GraphicsDevice:
    chosen = choose_device(wanted)
    kind = chosen.name.partition(":")[0]
    if kind in ("cpu", "cuda", "xpu"):
        return GraphicsDevice(kind, [f"reconstructing on {chosen.name}: {chosen.reason}"])
    return GraphicsDevice("cpu", [f"reconstructing on cpu: pty-chi cannot use {chosen.name}"])


def import_ptychi() -> Any:
    """Import pty-chi without torchvision.

    It needs one name of it, in a helper that nothing here calls; and
    torchvision from PyPI cannot be imported beside a torch without CUDA.
    """
    vision, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
    transforms.GaussianBlur = None  # type: ignore[attr-defined]
    vision.transforms = transforms  # type: ignore[attr-defined]
    sys.modules |= {"torchvision": vision, "torchvision.transforms": transforms}
    from types import SimpleNamespace

    import ptychi.api
    import ptychi.api.task
    import ptychi.device

    return SimpleNamespace(api=ptychi.api, task=ptychi.api.task, device=ptychi.device)


def _batches(dataset: Any, size: int) -> Any:
    """Frames in random order, a whole batch at a time; pty-chi's own loader takes them singly."""
    import torch
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler

    # pty-chi makes a GPU torch's default device, where a sampler's own generator is of no use.
    chance = torch.Generator(torch.get_default_device())
    chance.manual_seed(int(torch.randint(2**62, ()).item()))
    order = BatchSampler(RandomSampler(dataset, generator=chance), size, drop_last=False)
    return DataLoader(dataset, batch_size=None, sampler=order)


class FourierError:
    """Σ(√model − √counts)² / Σ counts over the good pixels of a batch."""

    def __init__(self, dataset: Any) -> None:
        self.valid: Tensor = dataset.valid_pixel_mask

    def __call__(self, model: Tensor, counts: Tensor) -> Tensor:
        """Compare (m, ky, kx) with (m, ky, kx)."""
        missing = (model.sqrt() - counts.sqrt()) ** 2
        return (missing * self.valid).sum() / (counts * self.valid).sum()


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _sentence(error: Exception) -> str:
    if _is_memory(error):
        return (
            "there is not enough memory to reconstruct: choose a smaller batch size, fewer frames, "
            "or another device."
        )
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
