"""Measures how far judges agree with physicians on public cases, and which weight of `agreement` training cases want.

Five folds by group. For every fold the weight with the best mean of patient and order agreement is chosen on the
training part alone (each training case judged without its own group), and measured on the test part beside every weight
of the grid and popularity. The judge's favourite is what it likes best of three answers: minimum Bayes risk, rule,
popularity. What must stop a dispenser takes of the whole score at every weight, as in the judge. Herb F1 at base level,
95 % intervals over cases.
No test: run it by hand with ``python tests/benchmarks/measure_judge.py``.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from measure_evidence import PLACES, f1, folds, row
from tqdm import tqdm

from tcm.answers import parse, write
from tcm.cases import Answer, Case
from tcm.evidence import Evidence, Weights
from tcm.metrics.floors import expert_rule
from tcm.sources import SOURCES
from tcm_rlaif.feedback.defects import plant
from tcm_rlaif.feedback.judges.evidence_judge import known_herbs, left_of
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.feedback.physicians import GAP
from tcm_rlaif.study.schema import Params

GRID = (0.0, 0.5, 1.0, 2.0, 4.0, 10.0, 1e6)
"""Weights of `agreement` beside the rubric's 1; the last is agreement alone."""
PLANTED = 40
"""Defects of each kind in each training part."""
RUBRIC = RubricJudge()
WEIGHT, MARGIN = Params().judge_agreement_weight, Params().pair_margin


def rubric(case: Case, text: str, written: Collection[str]) -> tuple[float, float]:
    """The rubric's score of an answer, and what safety and use leave of the whole score."""
    row = RUBRIC.criteria(case, text)
    return RUBRIC.total(row), left_of(row | {"known_herbs": known_herbs(parse(text).answer.herbs, written)})


def written_twice(cases: Sequence[Case]) -> frozenset[str]:
    """Names of herbs that at least two answers have: of each answer those that another one knows."""
    times = Counter(herb for case in cases for herb in set(case.answer.herbs))
    return frozenset(herb for herb, number in times.items() if number > 1)


def combined(
    rules: float | np.ndarray, agreement: float | np.ndarray, left: float | np.ndarray, weight: float
) -> float | np.ndarray:
    """The evidence judge's score of an answer at any weight of `agreement`."""
    return (rules + weight * agreement) / (1 + weight) * left


def expected(about, answers: Sequence[Answer]) -> np.ndarray:
    """Expected F1, shape (cases, answers)."""
    return np.array([[found.expected_f1(answer.herbs) for answer in answers] for found in about])


def patient(score: np.ndarray) -> list[float]:
    """Per case, share of other patients' answers that score below its own; a tie is half."""
    own = np.diag(score)[:, None]
    above = (own > score) + 0.5 * (own == score)
    return [float(np.delete(line, i).mean()) for i, line in enumerate(above)]


def order(score: np.ndarray, agree: np.ndarray) -> list[float]:
    """Per case, share of pairs of other patients' answers (F1 gap of 0.1 or more) scored in the order of their F1."""
    found = []
    for i in range(len(score)):
        s, a = np.delete(score[i], i), np.delete(agree[i], i)
        ds, da = s[:, None] - s[None, :], a[:, None] - a[None, :]
        wide = np.triu(np.abs(da) >= GAP)
        if wide.any():
            found.append(float(((np.sign(ds) == np.sign(da)) + 0.5 * (ds == 0))[wide].mean()))
    return found


def label(weight: float) -> str:
    """What a weight of the grid makes of the judge."""
    return {GRID[0]: "rubric with the brake", GRID[-1]: "agreement alone with it"}.get(
        weight, f"rubric + {weight:g} agreement"
    )


def chosen_weight(rules: np.ndarray, hoped: np.ndarray, left: np.ndarray, agree: np.ndarray) -> float:
    """The weight of the grid with the best mean of patient and order agreement."""
    scores = {w: combined(rules, hoped, left, w) for w in GRID}
    return max(GRID, key=lambda w: np.mean(patient(scores[w])) + np.mean(order(scores[w], agree)))


def planted_costs(cases: Sequence[Case], evidence: Evidence) -> dict[str, list[tuple[float, float]]]:
    """Kind of defect -> what it costs of the score at the default weight, without and with the brake."""
    planted, _ = plant(cases, per_kind=PLANTED, seed=0)
    written = written_twice(cases)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one, about in zip(planted, evidence.about([one.case for one in planted]), strict=True):
        scores = []
        for text in (one.intact, one.defective):
            rules, left = rubric(one.case, text, written)
            hoped = about.expected_f1(parse(text).answer.herbs)
            scores.append([combined(rules, hoped, share, WEIGHT) for share in (1.0, left)])
        found[one.kind].append((scores[0][0] - scores[1][0], scores[0][1] - scores[1][1]))
    return found


def print_costs(name: str, found: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """The table of what planted defects cost."""
    print(f"\n{name}: share of planted defects that cost more than {MARGIN:g}, without and with the brake\n")
    print("| | without | with | median cost without | with | defects |\n|---|---|---|---|---|---|")
    for kind, costs in found.items():
        pairs = np.array(costs)
        shares, medians = (pairs > MARGIN).mean(axis=0), np.median(pairs, axis=0)
        print(f"| {kind} | {shares[0]:.2f} | {shares[1]:.2f} | {medians[0]:.3f} | {medians[1]:.3f} | {len(costs)} |")


def measure(name: str, cases: list[Case], seed: int) -> None:
    """Print one source's table."""
    place = {case.id: i for i, case in enumerate(cases)}
    gold = [case.answer for case in cases]
    agree = np.array([[f1(one, other) for other in gold] for one in gold])
    written = written_twice(cases)
    each = tqdm(cases, desc=f"{name}, rubric")
    both = np.array([[rubric(case, write(other), written) for other in gold] for case in each])
    rules, left = both[..., 0], both[..., 1]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chosen: Counter[float] = Counter()
    costs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for train, test in tqdm(folds(cases, seed), desc=f"{name}, folds"):
        evidence, popular = Evidence(train), Evidence(train, weights=Weights(0, 0, 1, 0))
        inside, outside = (np.ix_(at, at) for at in ([place[case.id] for case in part] for part in (train, test)))
        hoped = expected(evidence.about(train), [case.answer for case in train])
        best = chosen_weight(rules[inside], hoped, left[inside], agree[inside])
        chosen[best] += 1
        for kind, found_costs in planted_costs(train, evidence).items():
            costs[kind] += found_costs
        about, answers = evidence.about(test), [case.answer for case in test]
        hoped, common = expected(about, answers), expected(popular.about(test), answers)
        floors = [[x.answer for x in about], [parse(t).answer for t in expert_rule(train, test)]]
        floors.append([x.answer for x in popular.about(test)])
        ruled = np.array([[rubric(c, write(floor[i]), written) for i, c in enumerate(test)] for floor in floors])
        hopes = np.array([[x.expected_f1(floor[i].herbs) for i, x in enumerate(about)] for floor in floors])
        agreed = np.array([[f1(case.answer, floor[i]) for i, case in enumerate(test)] for floor in floors])
        found["popularity"]["this patient's above another's"] += patient(common)
        found["popularity"]["order agreement"] += order(common, agree[outside])
        for what, w in [(label(w), w) for w in GRID] + [("weight chosen on training cases", best)]:
            score = combined(rules[outside], hoped, left[outside], w)
            of_floors = combined(ruled[..., 0], hopes, ruled[..., 1], w)
            found[what]["this patient's above another's"] += patient(score)
            found[what]["order agreement"] += order(score, agree[outside])
            found[what]["physician's above the favourite"] += list(map(float, np.diag(score) > of_floors.max(axis=0)))
            found[what]["herb F1 of the favourite"] += agreed[of_floors.argmax(axis=0), range(len(test))].tolist()
    print(f"\n{name}: {len(cases)} cases, five folds, seed {seed}\n")
    print("| | mean | 95 % interval | cases |\n|---|---|---|---|")
    for what, figures in found.items():
        print("\n".join(row(f"{figure}, {what}", values) for figure, values in figures.items()), flush=True)
    print_costs(name, costs)
    print("\nweights chosen on training parts: " + ", ".join(f"{n} x {w:g}" for w, n in chosen.most_common()))


def main() -> None:
    """Measure every source that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    options = parser.parse_args()
    for name, path in PLACES.items():
        if path.exists():
            measure(name, SOURCES[name](path).cases, options.seed)
        else:
            print(f"{name}: no cases at {path}; set TCM_DATA to the folder that holds {path.parent.name}/")


if __name__ == "__main__":
    main()
