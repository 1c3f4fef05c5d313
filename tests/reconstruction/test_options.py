import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.options import ALGORITHMS, EngineOptions


def test_every_algorithm_has_a_name():
    assert [EngineOptions(algorithm=a).title for a in ALGORITHMS] == ["ePIE", "rPIE", "LSQML"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithm": "magic"},
        {"iterations": 0},
        {"modes": -1},
        {"batch_size": -1},
        {"fixed_probe": -1},
        {"threads": -1},
    ],
)
def test_what_makes_no_sense_is_one_sentence(wrong):
    with pytest.raises(InputError) as error:
        EngineOptions(**wrong)
    assert str(error.value).endswith(".")
