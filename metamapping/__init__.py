"""metamapping: one encoder for many small language tasks, adapted in closed form.

``from metamapping import MetaMapper`` is the way in for users of a published encoder. The name is
imported lazily, because TensorFlow takes many seconds to import and the corpus stages never use it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.task_mapping import Mapping

__all__ = ["Mapping", "MetaMapper"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from metamapping.adaptation import mapper

        return getattr(mapper, name)
    raise AttributeError(f"module 'metamapping' has no attribute {name!r}")
