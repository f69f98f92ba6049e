"""``python -m metamapping``: the same as the command `metamapping`."""

import sys

from metamapping.shell import main

sys.exit(main())
