from .availability import (
    why_not as why_not,
)
from .iterations import (
    Iteration as Iteration,
)
from .iterations import (
    reconstruct as reconstruct,
)
from .options import (
    EngineOptions as EngineOptions,
)

__all__ = [
    "EngineOptions",
    "Iteration",
    "reconstruct",
    "why_not",
]
