"""Questions in other forms about the training cases and the tables, mixed into SFT: many tasks from few answers.

Source:
    CollectiveSFT, arXiv 2407.19705: instructions of many kinds, filtered by quality, make a small model better. What we
    changed: the paper collects data sets; we ask our own cases and tables in other forms, and the filter drops what
    contradicts itself: a question that has two answers, a choice with two right options, a pair that a rule forbids
    although a physician gave it. Forms, wording and their number are our choice.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import product

from tcm import knowledge
from tcm.answers import previous_items
from tcm.answers.wording import case_text
from tcm.cases import Case, PrescriptionItem
from tcm.prescriptions import safety
from tcm.prescriptions.writing import write_changes
from tcm_rlaif.models import prompts
from tcm_rlaif.study.schema import Params

SYSTEM = "你是中医助手。"
OPTIONS = "甲乙丙丁"

Question = tuple[str, str]


def forms(case: Case, cases: Sequence[Case], rng: random.Random) -> Iterator[Question]:
    """Everything that one case can be asked otherwise: (question, answer), each form at most once."""
    record, gold = case_text(case), case.answer
    others = sorted({other.answer.syndrome for other in cases} - {gold.syndrome, ""})
    rivals = [p for p in knowledge.patterns() if p.disease == gold.disease]
    if gold.syndrome:
        yield f"{record}\n证型？", f"证型：{gold.syndrome}。"
        others = sorted({p.syndrome for p in rivals} - {gold.syndrome}) or others
    if gold.syndrome and len(others) >= 3:
        options = rng.sample([gold.syndrome, *rng.sample(others, 3)], 4)
        listed = "，".join(f"{mark}：{option}" for mark, option in zip(OPTIONS, options, strict=True))
        yield f"{record}\n证型是哪一个？{listed}。", f"{OPTIONS[options.index(gold.syndrome)]}：{gold.syndrome}。"
    if gold.formula and gold.syndrome and case.task == "first_visit":
        yield f"{gold.disease}，{gold.syndrome}。方剂？", f"方剂：{gold.formula}。"
    if rivals:
        pattern = rng.choice(rivals)
        findings = "，".join(pattern.key_symptoms)
        yield f"{pattern.disease}，{pattern.syndrome}，{findings}。治法？", f"治法：{pattern.treatment_principle}。"
    if pair := _pair(case, rng):
        yield f"{pair[0]}与{pair[1]}，可同用？", "不可。" if forbidden(*pair) else "可。"
    if case.earlier_visits and gold.prescription and previous_items(case):
        yield f"{record}\n调方？", f"{write_changes(previous_items(case), gold.prescription)}。"


def forbidden(one: str, other: str) -> bool:
    """Whether 十八反 or 十九畏 names a pair of herbs."""
    found = safety.audit([PrescriptionItem(herb=one, dose=6), PrescriptionItem(herb=other, dose=6)])
    return any(finding.kind == "incompatibility" for finding in found)


def _pair(case: Case, rng: random.Random) -> tuple[str, str] | None:
    """Two herbs: of the prescription, or, as often, of a rule; None where a rule forbids what a physician gave."""
    if len(case.answer.herbs) > 1 and rng.random() < 0.5:
        pair = tuple(rng.sample(case.answer.herbs, 2))
        return None if forbidden(*pair) else pair
    rule = rng.choice(knowledge.incompatibilities())
    members = [sorted(knowledge.groups()[group]) for group in (rule.group_a, rule.group_b)]
    return rng.choice(list(product(*members)))


def questions(cases: Sequence[Case], number: int) -> tuple[list[tuple[str, Question]], int]:
    """At most so many questions about each case, without those that contradict one another.

    Returns:
        (case id, question), and how many were dropped because the same question had another answer elsewhere.
    """
    asked = []
    for case in cases:
        rng = random.Random(f"tasks-{case.id}")
        found = list(forms(case, cases, rng))
        asked += [(case.id, question) for question in rng.sample(found, min(number, len(found)))]
    answers: dict[str, set[str]] = {}
    for _, (question, answer) in asked:
        answers.setdefault(question, set()).add(answer)
    kept = [one for one in asked if len(answers[one[1][0]]) == 1]
    return kept, len(asked) - len(kept)


def rows(cases: Sequence[Case], P: Params) -> list[dict]:
    """The questions as TRL's prompt-completion rows; none where `sft_tasks` is 0. What was dropped is said."""
    if not P.sft_tasks:
        return []
    kept, dropped = questions(cases, P.sft_tasks)
    print(f"{len(kept)} questions in other forms; {dropped} dropped: asked twice, answered differently")
    system = {"role": "system", "content": SYSTEM}
    return [
        {"case_id": name, "prompt": [system, {"role": "user", "content": question}],
         "completion": prompts.completion(answer)}
        for name, (question, answer) in kept
    ]  # fmt: skip
