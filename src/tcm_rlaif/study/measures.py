"""Everything that a study measures of an answer: the metrics of `tcm`, and what judges say of it.

A judge's score is what feedback climbs, so it must rise if anything was learned; herb F1 says whether the physicians
would agree. The score by a judge that never labelled tells a better answer from one that pleases its judge
(overoptimisation, arXiv 2210.10760).
"""

from tcm.metrics import METRICS, Metric

JUDGE_SCORES = (
    Metric("judge_score", "score by the study's judge, where it computes", 0, 1, "higher", "arXiv 2009.01325"),
    Metric("other_judge_score", "score by a judge that labelled for no arm", 0, 1, "higher", "arXiv 2210.10760"),
)
MEASURES = {metric.key: metric for metric in (*METRICS, *JUDGE_SCORES)}
