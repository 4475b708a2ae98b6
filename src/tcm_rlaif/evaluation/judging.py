"""What judges say of test answers: the study's own judge, and one that never labelled.

The judge is the study's, not the arm's: an arm that learned from another judge is compared by the same yardstick. It is
made from the training answers that SFT may see, as for labelling. Floors that go by the judge's own knowledge
(`expert_rule`, `expert`) score high by construction. `evidence` holds the rubric, so where one of them labelled the
other has seen much of the same: it tells what pleases the one alone, and is no independent witness.
"""

import hashlib
from collections.abc import Mapping, Sequence

import pandas as pd

from tcm.cases import Case
from tcm_rlaif.feedback.judges import COMPUTED, make_judges
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.study import params
from tcm_rlaif.study.measures import JUDGE_SCORES
from tcm_rlaif.study.schema import Params

JUDGED_BY = "judged_by"
"""Column that names the judges, so that arms scored by different ones are never compared."""


def names(study: Params) -> dict[str, str | None]:
    """`judge_score`, `other_judge_score` -> the judge behind it; None where no judge is left.

    A model judge is not asked here (it would cost a request for every answer), so a study that it labels alone has no
    `judge_score`; a jury counts by the first of its judges that computes.
    """
    labelled = {name for arm in study.arms for name in params.for_arm(study, arm).judge}
    own = next((name for name in study.judge if name in COMPUTED), None)
    other = next((name for name in ("rubric", "evidence") if name not in labelled), None)
    return dict(zip((m.key for m in JUDGE_SCORES), (own, other), strict=True))


def judges(study: Params, training_cases: Sequence[Case]) -> dict:
    """`judge_score`, `other_judge_score` -> its judge; only those there are.

    Args:
        training_cases: all of them; a judge that learns from answers takes those that SFT may see.
    """
    return {
        key: make_judges(study.model_copy(update={"judge": (name,)}), training_cases)[0]
        for key, name in names(study).items()
        if name
    }


def judged(table: pd.DataFrame, cases: Sequence[Case], by: Mapping) -> pd.DataFrame:
    """A table of scored answers with what the judges say of them.

    Args:
        table: as of `tables.score_answers`, rows in any order.
        by: as of `judges`.

    Returns:
        The table with the columns of `JUDGE_SCORES` (None where there is no such judge) and `judged_by`.
    """
    case = {c.id: c for c in cases}
    for judge in by.values():
        judge.prepare(cases)
    answers = list(zip(table["case_id"], table["text"], strict=True))
    said = {
        m.key: [by[m.key].score(case[i], text) if m.key in by else None for i, text in answers] for m in JUDGE_SCORES
    }
    return table.assign(**said, **{JUDGED_BY: signature(by)})


def signature(by: Mapping) -> str:
    """What `judged_by` says of answers that these judges scored: their names, and a hash of all that they go by."""
    return ", ".join(f"{key}: {judge.name} {_goes_by(judge)}" for key, judge in by.items())


def _goes_by(judge: RubricJudge) -> str:
    said = "\n".join(judge.description(None))  # of a judge that computes, no question is part of it
    return hashlib.sha256(said.encode()).hexdigest()[:8]
