"""What moves with rounding alone: a floor under claims, measured once on the tiny model (`measure_rounding.py`).

The same training with the same seed gives other weights with another number of threads, another compute type or another
processor, since sums are rounded in another order. A difference below that spread is no finding on any machine.
"""

from pathlib import Path
from typing import Any

from tcm.files import read_json
from tcm_rlaif.study.damage import named
from tcm_rlaif.study.params import ROOT

PATH = ROOT / "reports" / "rounding.json"


def measured(path: Path = PATH) -> dict[str, Any] | None:
    """What the benchmark wrote; None where it was not run.

    Raises:
        StageError: if the file is damaged.
    """
    if not path.exists():
        return None
    with named(path, "python tests/benchmarks/measure_rounding.py"):
        found = read_json(path)
        sentence(found["runs"] and found)
    return found


def sentence(found: dict[str, Any] | None) -> str:
    """The floor under claims, in words."""
    if not found:
        return "What rounding alone moves was not measured: no floor under these differences is known."
    runs = "; ".join(f"{r['threads']} thread(s), {r['dtype']}: {r['herb_f1']:.3f}" for r in found["runs"])
    return (
        f"Rounding alone moves herb F1 of the tiny model by up to {found['spread']:.3f}: the same SFT with the same "
        f"seed on {found['training_answers']} answers, {found['test_cases']} cases ({runs}; {found['machine']}). A "
        "difference below that is no finding; of other models it was not measured."
    )
