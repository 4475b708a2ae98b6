"""Seconds to weigh the evidence for 1,000 cases against 1,000 training cases, beside the rubric on 1,000 answers,
and for the judge made of both.

Cases are invented. No test: run it by hand with ``python tests/benchmarks/bench_evidence.py``.
"""

import random
import time

from tcm.answers import write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.evidence import Evidence
from tcm.knowledge import compose, herbs, patterns
from tcm_rlaif.feedback.judges.base import Item
from tcm_rlaif.feedback.judges.evidence_judge import EvidenceJudge
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.feedback.labelling import judge_items

N, RUBRIC = 1000, RubricJudge()


def invented_cases(seed: int) -> list[Case]:
    """Cases of random patterns with two signs left out, two strange ones and two herbs exchanged."""
    dice = random.Random(seed)
    known = [p for p in patterns() if p.formulas]
    names = sorted(herbs())
    cases = []
    for number in range(N):
        pattern, other = dice.choice(known), dice.choice(known)
        signs = [*pattern.key_symptoms, *pattern.other_symptoms]
        said = dice.sample(signs, max(1, len(signs) - 2)) + dice.sample(list(other.key_symptoms), 2)
        doses = compose(pattern.formulas[0])
        for herb in dice.sample(sorted(doses), min(2, len(doses))):
            del doses[herb]
        doses |= {dice.choice(names): 10.0 for _ in range(2)}
        answer = Answer(
            disease=pattern.disease,
            syndrome=pattern.syndrome,
            treatment_principle=pattern.treatment_principle,
            formula=pattern.formulas[0],
            prescription=tuple(PrescriptionItem(herb=h, dose=d) for h, d in doses.items()),
        )
        visit = Visit(history=f"患病{dice.randint(1, 99)}日，" + "，".join(said), tongue="，".join(pattern.tongue))
        name = f"invented-{seed}-{number}"
        patient = Patient(age=float(dice.randint(15, 80)))
        cases.append(Case(id=name, source="invented", patient_id=name, patient=patient, visit=visit, answer=answer))
    return cases


def main() -> None:
    """Print seconds of each step and the ratio of scoring to the rubric."""
    train, cases = invented_cases(1), invented_cases(2)
    marks = [time.perf_counter()]

    def mark(what: str) -> float:
        marks.append(time.perf_counter())
        print(f"{what}: {marks[-1] - marks[-2]:.2f} s", flush=True)
        return marks[-1] - marks[-2]

    evidence = Evidence(train)
    mark(f"tables read, weights fitted on {N} training cases ({evidence.weights})")
    found = evidence.about(cases)
    weighed = mark(f"evidence for {N} cases weighed")
    scores = [f.expected_f1(c.answer.herbs) for f, c in zip(found, cases, strict=True)]
    scored = mark(f"expected F1 of {N} answers (mean {sum(scores) / N:.2f})")
    for case in cases:
        RUBRIC.criteria(case, write(case.answer))
    rubric = mark(f"the rubric on the same {N} answers")
    answers = [case.answer for case in found]
    mark(f"{len(answers)} answers written")
    items = [Item(case, (write(case.answer),)) for case in cases]
    judged = []
    for judge in (RUBRIC, EvidenceJudge(evidence, 4.0)):
        judge_items([judge], items, mode="pointwise", progress=False)
        judged.append(mark(f"the judge {judge.name} on the same {N} answers"))
    print(f"the judge evidence takes {judged[1] / judged[0]:.2f} of the rubric's time, weighing included")
    print(f"scoring takes {scored / rubric:.2f} of the rubric's time, with weighing {(weighed + scored) / rubric:.2f}")


if __name__ == "__main__":
    main()
