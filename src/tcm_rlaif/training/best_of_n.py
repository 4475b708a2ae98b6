"""Best-of-n distillation: SFT on each prompt's best candidate by the judge (RAFT, arXiv 2304.06767).

The policy learns to say at once what the judge would choose from n of its answers, and keeps to what it can already
say: nothing is pushed down. A random candidate in place of the best is the control with the same compute; SFT on the
physicians' answers for as many answer passes is the other.
"""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from tcm import answers
from tcm.cases import Case
from tcm_rlaif.feedback.judges import evidence_judge
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.feedback.pairs import RowSet, funnel
from tcm_rlaif.models import prompts
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, SFTTrainer, Tokenizer
from tcm_rlaif.training.arguments import steps_of
from tcm_rlaif.training.sft import sft_trainer


def rows(feedback: Feedback, P: Params, seed: int) -> RowSet:
    """One candidate of each prompt, and the share `preference_replay` of physicians' answers.

    The best one is the first sampled of those that score highest. A random one is drawn from all with a score, equal
    texts as often as they were sampled; the draw depends on the seed and the case alone. A written one is what the
    judge `evidence` would answer itself, no candidate: what it knows is then not bounded by what the policy can say.
    """
    found = []
    written = _written(feedback, P) if P.preference_choice == "written" else {}
    for item, scored in feedback.scored:
        if scored:
            rng = random.Random(f"{seed}:choice:{item.case.id}")
            choices = {"judged": max(scored, key=lambda pair: pair[1]), "random": rng.choice(scored)}
            text, score = (choices | written)[item.case.id if written else P.preference_choice]
            mean = sum(s for _, s in scored) / len(scored)
            found.append(_row(item.case, text, feedback) | {"score_chosen": score, "score_mean": mean})
    again = round(P.preference_replay / (1 - P.preference_replay) * len(found))
    kinds = Counter({"a candidate": len(found), "a physician's answer": min(again, again * len(feedback.answered))})
    none = "no candidate that ended and was judged"
    asked = Counter({"with a chosen candidate": len(found), none: len(feedback.items) - len(found)})
    steps = [*funnel("prompts", "all", asked), *funnel("rows", "all", kinds)]
    return RowSet(found + _physicians(feedback, again, P, seed), steps)


def _written(feedback: Feedback, P: Params) -> dict[str, tuple[str, float]]:
    """Each prompt's case id -> what the judge would answer itself, and its score of that."""
    judge = evidence_judge.from_params(P, feedback.answered)
    found = {}
    for about in judge.evidence.about([item.case for item in feedback.items]):
        text = answers.write_for(about.case.model_copy(update={"answer": about.answer}), P.sft_followup_layout)
        found[about.case.id] = text, judge.score(about.case, text)
    return found


def physicians_rows(feedback: Feedback, P: Params, seed: int) -> RowSet:
    """As many physicians' answers as `rows` has rows, each as often as it takes."""
    found = _physicians(feedback, len(rows(feedback, P, seed).rows), P, seed)
    return RowSet(found, funnel("rows", "all", Counter({"a physician's answer": len(found)})))


def _physicians(feedback: Feedback, number: int, P: Params, seed: int) -> list[dict]:
    """So many answers in a shuffled order; each comes once before any comes twice."""
    order = list(feedback.answered)
    random.Random(f"{seed}:replay").shuffle(order)
    target, layout = feedback.prompter.target, P.sft_followup_layout
    return [_row(case, answers.write_for(target(case), layout), feedback) for case in islice(cycle(order), number)]


def _row(case: Case, text: str, feedback: Feedback) -> dict:
    return {"prompt": feedback.prompter.messages(case), "completion": prompts.completion(text), "case_id": case.id}


def trainer(
    model: Model, tokenizer: Tokenizer, found: Sequence[dict], P: Params, *, seed: int, folder: Path
) -> SFTTrainer:
    """SFT as of `sft`, on the rows, with the rate and the epochs of preference training."""
    from datasets import Dataset

    data = Dataset.from_list([{"prompt": row["prompt"], "completion": row["completion"]} for row in found])
    how = {"epochs": P.preference_epochs, "learning_rate": P.preference_learning_rate}
    return sft_trainer(model, tokenizer, data, None, P, seed=seed, folder=folder, **how)


def steps(P: Params, number: int) -> int:
    """Optimiser steps on so many rows."""
    return steps_of(number, P.sft_batch_size * P.sft_accumulation, P.preference_epochs)
