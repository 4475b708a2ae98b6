"""What a study ran on: a line a run, and the machine that wrote the report in full."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from tcm_rlaif.study.params import ROOT


def said(*command: str) -> str | None:
    """What a command prints, run in the project folder; None where it is not to be had, fails, or prints nothing."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip() or None  # nvidia-smi says on stdout why it failed


def gpus() -> list[str]:
    """The GPUs that NVIDIA's driver names."""
    return (said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or "").splitlines()


def machine() -> str:
    """What runs here run on, in short: the GPUs, or else the number of processors."""
    found = gpus()
    return " + ".join(found) or f"{os.cpu_count()} cores"


def hardware() -> dict[str, Any]:
    """Platform, processor, cores, memory, and the GPUs where there are any."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", known.read_text("utf-8")) if known.exists() else None
    return {
        "platform": platform.platform(),
        "processor": found[1] if found else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": gpus(),
    }
