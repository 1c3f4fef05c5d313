"""Write a study as a figure, a table or JSON, chosen by the extension."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.errors import InputError
from napari_ptychonn.plots.report_export import check_kind
from napari_ptychonn.studies.study import Study


def write_study(path: str | Path, study: Study) -> Path:
    """Write a study; the file is replaced only once it is complete.

    Parameters
    ----------
    path : str or Path
        ``.png``, ``.pdf`` and ``.svg`` become its figure, ``.csv`` its table,
        ``.json`` title, settings, outcome and table.
    study : Study
        With at least one point.

    Raises
    ------
    InputError
        When the extension is none of these, the study is empty, or the file
        cannot be written.
    """
    path = Path(path)
    kind = check_kind(path)
    rows = study.rows
    if not rows:
        raise InputError(f"{path} cannot be written: no point of the study is finished.")
    with replacing(path) as temporary:
        if kind == ".json":
            text = json.dumps(study_values(study), indent=1, allow_nan=False)
            temporary.write_text(text, encoding="utf-8")
        elif kind == ".csv":
            with temporary.open("w", encoding="utf-8", newline="") as file:
                table = csv.DictWriter(file, list(rows[0]))
                table.writeheader()
                table.writerows(rows)
        else:
            from napari_ptychonn.plots import save_figure

            save_figure(study.figure(), temporary, kind[1:])
    return path


def study_values(study: Study) -> dict[str, Any]:
    """Title, settings, outcome and table of a study as plain values."""
    return {
        "title": study.title,
        "settings": study.settings,
        "sentence": study.sentence,
        "rows": study.rows,
    }


def write_study_files(folder: str | Path, name: str, study: Study) -> tuple[Path, ...]:
    """Write figure, table and JSON into a folder, which is created if missing."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be created: {error.strerror}.") from error
    return tuple(write_study(folder / f"{name}{kind}", study) for kind in (".png", ".csv", ".json"))
