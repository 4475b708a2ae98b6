"""Metrics of answers: herb sets, doses, labels, follow-up changes, text, published scorers, floors.

>>> summarise([score_case(case, text) for case, text in zip(cases, texts)])["herb_f1"]   # {"mean": …, "n": …}
"""

from tcm.metrics.case import score_case, summarise
from tcm.metrics.catalogue import METRICS, PRIMARY, Metric
from tcm.metrics.floors import ATTACKS, FLOORS, MissingFloors, metrics_table
from tcm.metrics.usable import FAULTS
