import math

import pytest

from napari_ptychonn import studies
from napari_ptychonn.studies.study import finite


def test_former_public_names_warn_and_work():
    with pytest.warns(DeprecationWarning, match="subsample_scan"):
        assert studies.thinned is studies.subsample_scan
    with pytest.warns(DeprecationWarning, match="Progress"):
        assert studies.Stage is studies.Progress


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_cannot_hold_become_empty_cells(value):
    assert finite(value) is None
    assert finite(1.5) == 1.5
