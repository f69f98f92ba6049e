"""``python -m metamapping`` is the same as the command `metamapping`."""

import sys

from metamapping.cli import main

sys.exit(main())
