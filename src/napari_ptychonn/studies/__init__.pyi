from .size import (
    SizeStudy as SizeStudy,
)
from .size import (
    size_study as size_study,
)
from .sparse import (
    SparseStudy as SparseStudy,
)
from .sparse import (
    sparse_study as sparse_study,
)
from .stage import (
    Stage as Stage,
)
from .thinning import (
    thinned as thinned,
)
from .warm_start import (
    WarmStartStudy as WarmStartStudy,
)
from .warm_start import (
    warm_start_study as warm_start_study,
)
from .writing import (
    write_study as write_study,
)

__all__ = [
    "SizeStudy",
    "SparseStudy",
    "Stage",
    "WarmStartStudy",
    "size_study",
    "sparse_study",
    "thinned",
    "warm_start_study",
    "write_study",
]
