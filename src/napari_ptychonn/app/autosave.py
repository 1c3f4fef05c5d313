"""Models that were not saved, kept for the next start as safetensors files."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.network.model import TrainedModel

logger = logging.getLogger(__name__)

MOST = 5
"""So many drafts are kept; the oldest makes room for a new one."""

SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class Autosave:
    """A model that was trained in the window and not saved.

    Attributes
    ----------
    path : Path
        Its file.
    scan : str
        What it was trained on.
    epochs : int
        How long.
    kept : datetime
        When the window was closed.
    """

    path: Path
    scan: str
    epochs: int
    kept: datetime

    @property
    def sentence(self) -> str:
        """One line for a person."""
        when = f"{self.kept:%d %b %Y, %H:%M}"
        epochs = format_count(self.epochs, "epoch")
        return f"The model trained on {self.scan} ({epochs}) was left unsaved on {when}."


def folder() -> Path:
    """Where drafts are kept."""
    from platformdirs import user_state_path

    return user_state_path("napari-ptychonn", appauthor=False) / "drafts"


def keep(model: TrainedModel) -> Path | None:
    """Write a draft, and remove the oldest beyond `MOST`; None, and a warning, where that fails."""
    scan = re.sub(r"\W+", "-", str(model.provenance.get("scan", "scan")))[:40]
    path = folder() / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{scan}{SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    except (OSError, InputError) as error:
        logger.warning("the model was not kept as a draft: %s", error)
        return None
    for old in _files()[MOST:]:
        drop(old)
    return path


def drafts() -> list[Autosave]:
    """All drafts that can be read, the newest first; looks at headers only."""
    return [draft for draft in map(_read, _files()) if draft is not None]


def drop(path: Path) -> None:
    """Remove a draft: it was saved, or is not wanted."""
    path.unlink(missing_ok=True)


def _files() -> list[Path]:
    # A name begins with the time.
    return sorted(folder().glob(f"*{SUFFIX}"), reverse=True)


def _read(path: Path) -> Autosave | None:
    from napari_ptychonn.io.containers.model_header import read_model_header

    try:
        model = read_model_header(path).metadata["model"]
        return Autosave(
            path=path,
            scan=str(model["provenance"].get("scan", "a scan")),
            epochs=len(model["history"]),
            kept=datetime.fromtimestamp(path.stat().st_mtime),
        )
    except (InputError, OSError, LookupError, TypeError, AttributeError) as error:
        logger.warning("%s is not a draft: %s", path, error)
        return None
