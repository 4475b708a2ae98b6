"""Helpers of the study "how far do a few TCM case records take a language model, by SFT and then RLAIF?"."""

import os

__version__ = "0.1.0"

for _switch in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):  # libraries read them when they are imported, after this
    os.environ.setdefault(_switch, "1")
