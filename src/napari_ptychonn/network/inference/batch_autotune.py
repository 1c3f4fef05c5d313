"""How many frames at once are predicted fastest: measured once on each machine, and remembered."""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_ptychonn.compute.threads import single_threaded_pool

if TYPE_CHECKING:
    from napari_ptychonn.network.inference.predictor import Predictor

logger = logging.getLogger(__name__)

ENOUGH = 4096
"""Frames from which on measuring is worth its time: less than a second."""

ON_CPU, ON_GPU = (64, 32, 16), (256, 512, 1024, 2048)
"""Batches that are tried; the second one is taken where nothing was measured."""

REPEATS = 3


def batch_size(predictor: Predictor, frame_shape: tuple[int, int], wanted: int) -> int:
    """Frames to predict at once.

    Parameters
    ----------
    predictor : Predictor
        What predicts.
    frame_shape : tuple of int
        Of its prepared frames.
    wanted : int
        Frames to predict in all: with a few, nothing is measured.
    """
    sizes = ON_CPU if predictor.device == "cpu" else ON_GPU
    key = _key(predictor, frame_shape)
    known = _remembered()
    if known.get(key) in sizes:
        return int(known[key])
    if wanted < ENOUGH:
        return sizes[1]
    try:
        seconds = {size: _seconds(predictor, frame_shape, size) for size in sizes}
    except torch.OutOfMemoryError:
        return min(sizes)
    best = min(seconds, key=lambda size: seconds[size])
    told = ", ".join(f"{size}: {1e6 * s:.0f}" for size, s in seconds.items())
    logger.info("microseconds a frame in batches of %s", told)
    _remember(known | {key: best})
    return best


def pace_file() -> Path:
    """Where it is remembered."""
    from platformdirs import user_cache_path

    return user_cache_path("napari-ptychonn", appauthor=False) / "pace.json"


def _seconds(predictor: Predictor, frame_shape: tuple[int, int], size: int) -> float:
    """Seconds a frame, with all cores at work; the best of a few, for others may be at work too."""
    frames = torch.rand(size, 1, *frame_shape).to(predictor.device)

    def predict() -> None:
        predictor(frames)[0].cpu()  # waits for the device

    found: list[float] = []
    with single_threaded_pool() as (pool, cores):
        count = cores if predictor.device == "cpu" else 1
        for _ in range(1 + REPEATS):
            began = time.perf_counter()
            for future in [pool.submit(predict) for _ in range(count)]:
                future.result()
            found.append((time.perf_counter() - began) / (size * count))
    return min(found[1:])


def _key(predictor: Predictor, frame_shape: tuple[int, int]) -> str:
    name = predictor.device
    if name.startswith("cuda"):
        name = torch.cuda.get_device_name(name)
    parts = (name, torch.get_num_threads(), torch.__version__, predictor.precision, frame_shape)
    return f"{parts} {predictor.options}"


def _remembered() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        known = json.loads(pace_file().read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def _remember(known: dict[str, Any]) -> None:
    """Write the file; where that is not possible, the next run measures again."""
    with suppress(OSError):
        path = pace_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")
