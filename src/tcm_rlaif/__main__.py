"""`python -m tcm_rlaif …`: the commands of `tcm`, which start fast, or those of a study (`runner.cli`)."""

import sys

from tcm import commands

if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
    sys.exit(commands.main())

from tcm_rlaif.runner import cli
from tcm_rlaif.study.stage import keep_private

keep_private()
sys.exit(cli.main())
