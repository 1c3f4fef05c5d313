"""Epochs as lines of JSON, from a training process to its parent."""

from __future__ import annotations

import json
import math
from typing import Any

from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.training.epochs import Epoch

KEYS = (
    "number",
    "total",
    "step",
    "steps",
    "train_loss",
    "validation_loss",
    "amplitude_loss",
    "phase_loss",
    "learning_rate",
    "seconds",
    "remaining",
    "is_best",
)


def format_epoch(epoch: Epoch, *, saved: bool) -> str:
    """Write an epoch as one line.

    Parameters
    ----------
    epoch : Epoch
        Its model does not go along.
    saved : bool
        Whether the best model so far is in its file now.
    """
    values = {key: _finite(getattr(epoch, key)) for key in KEYS}
    return json.dumps(values | {"messages": epoch.messages, "saved": saved}, allow_nan=False)


def parse_epoch(message: dict[str, Any], best: TrainedModel) -> Epoch:
    """Read what `format_epoch` wrote.

    Parameters
    ----------
    message : dict
        The line, parsed.
    best : TrainedModel
        The best model so far, as last saved.
    """
    values = {key: message[key] for key in KEYS}
    if values["train_loss"] is None:
        values["train_loss"] = math.nan
    return Epoch(**values, best=best, messages=tuple(message["messages"]))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
