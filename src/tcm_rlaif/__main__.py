"""`python -m tcm_rlaif …`: the commands of `tcm`, which start fast, or those of a study (`runner.cli`)."""

import sys

from tcm import commands

if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
    sys.exit(commands.main())

from tcm_rlaif.runner import cli

sys.exit(cli.main())
