"""``python -m metamapping``: the same as the command `metamapping`."""

import sys

from metamapping.cli import main

sys.exit(main())
