from .description import (
    Description as Description,
)
from .description import (
    describe as describe,
)
from .readers.reconstructions import (
    list_reconstructions as list_reconstructions,
)
from .readers.reconstructions import (
    read_reconstruction as read_reconstruction,
)
from .readers.results import (
    read_result as read_result,
)
from .readers.scans import (
    read_scan as read_scan,
)
from .writers.write import (
    write_reconstruction as write_reconstruction,
)
from .writers.write import (
    write_result as write_result,
)
from .writers.write import (
    write_training_data as write_training_data,
)

__all__ = [
    "Description",
    "describe",
    "list_reconstructions",
    "read_reconstruction",
    "read_result",
    "read_scan",
    "write_reconstruction",
    "write_result",
    "write_training_data",
]
