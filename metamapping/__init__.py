"""metamapping: one encoder for many small language tasks, adapted in closed form.

    from metamapping import MetaMapper

    mapper = MetaMapper.from_pretrained("published")

``MetaMapper`` and ``Mapping`` are imported on first use, because TensorFlow takes many seconds to import and
much of the package does not need it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.adaptation.task_mapping import Mapping

__all__ = ["Mapping", "MetaMapper"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from metamapping.adaptation import mapper

        return getattr(mapper, name)
    raise AttributeError(f"module 'metamapping' has no attribute {name!r}")
