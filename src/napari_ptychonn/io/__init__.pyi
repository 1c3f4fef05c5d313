from .description import (
    Description as Description,
)
from .opened_file import (
    OpenedFile as OpenedFile,
)
from .opened_file import (
    describe as describe,
)
from .opened_file import (
    open_file as open_file,
)
from .opened_file import (
    read_reconstruction as read_reconstruction,
)
from .opened_file import (
    read_scan as read_scan,
)
from .readers.reconstructions import (
    list_reconstructions as list_reconstructions,
)
from .readers.results import (
    read_result as read_result,
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
    "OpenedFile",
    "describe",
    "list_reconstructions",
    "open_file",
    "read_reconstruction",
    "read_result",
    "read_scan",
    "write_reconstruction",
    "write_result",
    "write_training_data",
]
