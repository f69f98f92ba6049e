"""What the processor cannot compute."""

import pytest

from metamapping.runtime.quantization import products_overflow

needs_int8 = pytest.mark.skipif(products_overflow(), reason="this processor's products of 8 bits overflow")
