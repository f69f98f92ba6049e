"""metamapping: one encoder for many small language tasks, adapted in closed form.

``from metamapping import MetaMapper, Mapping, Columns, Entity`` is the entry point for users of a published
encoder. The names are imported lazily, because TensorFlow takes many seconds to import and preparing
data never needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers alone; at run time ``__getattr__`` imports the same names
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.results import Entity
    from metamapping.adaptation.task_mapping import Mapping
    from metamapping.config.sources import Columns

__all__ = ["Columns", "Entity", "Mapping", "MetaMapper"]
__version__ = "0.2.0"

_MODULES = {
    "Columns": "metamapping.config.sources",
    "Entity": "metamapping.adaptation.results",
    "Mapping": "metamapping.adaptation.task_mapping",
    "MetaMapper": "metamapping.adaptation.mapper",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'metamapping' has no attribute {name!r}")
