"""`python -m tcm_rlaif`: see `cli`."""

import sys

from tcm_rlaif.cli import main

sys.exit(main())
