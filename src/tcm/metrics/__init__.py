"""Metrics of answers: herb sets, doses, labels, follow-up changes, text, published scorers, floors.

>>> summarise([score_case(case, text) for case, text in zip(cases, texts)])["herb_f1"]   # {"mean": …, "n": …}
"""

from tcm.late import late
from tcm.metrics.catalogue import METRICS, PRIMARY, Metric

__getattr__ = late(
    __name__,
    {
        "case": "score_case summarise",
        "floors": "ATTACKS FLOORS MissingFloors metrics_table",
        "usable": "FAULTS",
    },
)
