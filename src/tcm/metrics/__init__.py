"""Metrics of answers: herb sets, doses, labels, follow-up changes, text, published scorers, floors.

>>> summarise([score_case(case, text) for case, text in zip(cases, texts)])["herb_f1"]   # {"mean": …, "n": …}
"""

from importlib import import_module
from typing import Any

from tcm.metrics.catalogue import METRICS, PRIMARY, Metric

_HOMES = {
    **dict.fromkeys(("score_case", "summarise"), "case"),
    **dict.fromkeys(("ATTACKS", "FLOORS", "MissingFloors", "metrics_table"), "floors"),
    "FAULTS": "usable",
}


def __getattr__(name: str) -> Any:
    """What other modules offer, loaded where it is asked for: many commands start without the reader of answers."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
