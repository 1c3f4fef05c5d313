from .export import (
    write_study as write_study,
)
from .size import (
    SizeStudy as SizeStudy,
)
from .size import (
    TrainingRecipe as TrainingRecipe,
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
from .study import (
    Progress as Progress,
)
from .subsampling import (
    subsample_scan as subsample_scan,
)
from .warm_start import (
    WarmStartStudy as WarmStartStudy,
)
from .warm_start import (
    warm_start_study as warm_start_study,
)

__all__ = [
    "Progress",
    "SizeStudy",
    "SparseStudy",
    "TrainingRecipe",
    "WarmStartStudy",
    "size_study",
    "sparse_study",
    "subsample_scan",
    "warm_start_study",
    "write_study",
]
