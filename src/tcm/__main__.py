"""`python -m tcm read …`: see `commands`."""

import sys

from tcm.commands import main

sys.exit(main())
