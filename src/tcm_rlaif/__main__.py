"""`python -m tcm_rlaif`: see `runner.cli`."""

import sys

from tcm_rlaif.runner.cli import main

sys.exit(main())
