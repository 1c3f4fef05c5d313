import csv
import json
from types import SimpleNamespace

import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.plots.style import styled_figure
from napari_ptychonn.studies.export import write_study, write_study_files


def drawn():
    with styled_figure(2.0, 1.0) as figure:
        return figure


@pytest.fixture
def study():
    return SimpleNamespace(
        title="a study",
        settings={"iterations": 3},
        sentence="It worked.",
        rows=[{"every": 1, "error": 0.5}, {"every": 2, "error": None}],
        figure=drawn,
    )


def test_figure_table_and_json(study, tmp_path):
    files = write_study_files(tmp_path / "new", "sparse", study)
    assert [f.name for f in files] == ["sparse.png", "sparse.csv", "sparse.json"]
    assert files[0].read_bytes().startswith(b"\x89PNG")
    with files[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"every": "1", "error": "0.5"}, {"every": "2", "error": ""}]
    told = json.loads(files[2].read_text())
    assert told["rows"] == study.rows
    assert told["settings"] == {"iterations": 3}


def test_nothing_finished_is_not_written(study, tmp_path):
    study.rows = []
    with pytest.raises(InputError, match="no point of the study is finished"):
        write_study(tmp_path / "x.csv", study)
    assert not list(tmp_path.iterdir())


def test_unknown_extensions_and_folders_that_cannot_be_made(study, tmp_path):
    with pytest.raises(InputError, match="ends in one of"):
        write_study(tmp_path / "x.txt", study)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*File exists"):
        write_study_files(tmp_path / "file", "x", study)
