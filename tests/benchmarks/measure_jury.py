"""Measures whether a small local model is worth asking as a judge: alone, and on a jury with rubric and evidence.

Cases of TCM-BEST4SDT that are no test cases of the study `best4sdt`, drawn by the seed among those short enough to be
read on a CPU. To each case four texts are judged: the physician's answer, those of two other patients, and the
physician's with one planted defect. Each judge and jury is measured by three figures (this patient's answer above
another's, the others in the order of their herb F1, the defect below the intact answer) and its CPU seconds an answer.
The evidence is fitted to the study's training answers; a case's own answer is silent in it.
No test: run it by hand with ``python tests/benchmarks/measure_jury.py MODEL --out reports/jury.json``.
"""

import argparse
import json
import random
import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from measure_evidence import PLACES

from tcm.answers import parse, write
from tcm.answers.wording import case_text
from tcm.cases import Case
from tcm.cases.splits import groups, split
from tcm.evidence import Evidence, Weights
from tcm.files import write_json
from tcm.metrics.intervals import interval, of_shares
from tcm.sources import SOURCES
from tcm_rlaif.feedback.defects import DEFECTS, expecting
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import JUDGED, Item, Judge, Mode, Verdict
from tcm_rlaif.feedback.judges.jury import combine
from tcm_rlaif.feedback.labelling import judge_items
from tcm_rlaif.feedback.physicians import GAP, herb_f1
from tcm_rlaif.study.params import load
from tcm_rlaif.study.schema import Params

FIGURES = {
    "patient": "this patient's answer above another's",
    "order": f"two other answers in the order of their herb F1 (gap {GAP} or more)",
    "defects": "the answer with a planted defect below the intact one",
}
OTHERS = 2
TIMED = 4
"""Cases on which the seconds are taken, apart from the judgements, which may come from the cache."""
LONGEST = 360
"""Characters of a case that is drawn, so that a judgement takes seconds on a CPU; about two thirds of the records."""


def parts(study: Params) -> tuple[list[Case], list[Case]]:
    """Training and validation cases, split as the study splits them."""
    cases = SOURCES[study.data_source](PLACES[study.data_source]).cases
    group = groups(cases, study.data_near_duplicate)
    place = split(cases, group, study.data_validation_share, study.data_test_share, study.data_seed)
    return (
        [case for case, name in zip(cases, place, strict=True) if name == "train"],
        [case for case, name in zip(cases, place, strict=True) if name == "validation"],
    )


def drawn_items(train: list[Case], validation: list[Case], number: int, seed: int) -> list[tuple[str, Item]]:
    """Kind of the planted defect, and a case with the answers of its physician, two others, and the defective one.

    The others are validation cases: an answer that testifies has an advantage over the case's own, which is silent.
    """
    cases = train + validation
    short = [case for case in cases if len(case_text(case)) <= LONGEST]
    random.Random(seed).shuffle(short)
    found = []
    for place, case in enumerate(short[:number]):
        rng = random.Random(f"{seed}:{case.id}")
        others = rng.sample(
            [c for c in validation if c.patient_id != case.patient_id and c.answer != case.answer], OTHERS
        )
        for turn in range(len(DEFECTS)):  # in turns, the next one where a case does not allow a defect
            kind = list(DEFECTS)[(place + turn) % len(DEFECTS)]
            asked = expecting(case) if kind == "pregnancy_contraindication" else case
            if worse := DEFECTS[kind](asked, case.answer, cases, rng):
                texts = (case.answer, *(other.answer for other in others), worse)
                found.append((kind, Item(asked, tuple(map(write, texts)))))
                break
    return found


def by_case(drawn: Sequence[tuple[str, Item]], verdicts: Sequence[Verdict]) -> dict[str, dict[str, float]]:
    """Figure -> case -> value of one judge, for the cases that it judged whole; a tie counts half."""
    values: dict[str, dict[str, float]] = {name: {} for name in FIGURES}
    for (_, item), verdict in zip(drawn, verdicts, strict=True):
        if None in verdict.scores:
            continue
        name, (own, *others, defective) = item.case.id, verdict.scores
        values["patient"][name] = fmean(_above(own, other) for other in others)
        values["defects"][name] = _above(own, defective)
        f1 = [herb_f1(item.case, text) for text in item.candidates[1:-1]]
        pairs = [(a, b) for a, b in combinations(range(OTHERS), 2) if abs(f1[a] - f1[b]) >= GAP]
        if pairs:
            values["order"][name] = fmean(_above(*sorted_by(f1, others, pair)) for pair in pairs)
    return values


def sorted_by(worth: Sequence[float], scores: Sequence[float], pair: tuple[int, int]) -> tuple[float, float]:
    """The scores of two answers, the worthier first."""
    first, second = sorted(pair, key=lambda place: -worth[place])
    return scores[first], scores[second]


def measured(values: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Each figure with its interval over cases."""
    rows = {}
    for name, found in values.items():
        low, high = of_shares(list(found.values())) if found else (None, None)
        rows[name] = {"value": fmean(found.values()) if found else None, "low": low, "high": high, "n": len(found)}
    return rows


def gained(a: Mapping[str, Mapping[str, float]], b: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """What one jury has more than another, case by case, with an interval over cases."""
    rows = {}
    for name in FIGURES:
        d = [a[name][case] - b[name][case] for case in a[name] if case in b[name]]
        low, high = interval(d) if d else (None, None)
        rows[name] = {"value": fmean(d) if d else None, "low": low, "high": high, "n": len(d)}
    return rows


def by_popularity(train: Sequence[Case], items: Sequence[Item]) -> list[Verdict]:
    """What the popularity of herbs alone makes of the texts."""
    about = Evidence(train, weights=Weights(0, 0, 1, 0)).about([item.case for item in items])
    return [
        Verdict(
            item.case.id, tuple(found.expected_f1(parse(text).answer.herbs) for text in item.candidates), (), JUDGED
        )
        for item, found in zip(items, about, strict=True)
    ]


def cpu_seconds(judge: Judge, items: Sequence[Item], mode: Mode) -> float:
    """CPU seconds that a judge takes for an answer, whoever else is busy; the first item is not timed."""
    judge_items([judge], items[:1], mode=mode, progress=False)
    started = time.process_time()
    judge_items([judge], items[1:], mode=mode, progress=False)
    return (time.process_time() - started) / sum(len(item.candidates) for item in items[1:])


def _above(a: float, b: float) -> float:
    return 0.5 if a == b else float(a > b)


def main() -> None:
    """Ask all judges, print the table, and write it as JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="hub id, folder or .gguf file of the local judge")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--mode", choices=("pointwise", "pairwise"), default="pointwise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="where judgements are kept, so that a stopped run goes on")
    parser.add_argument("--out", type=Path, help="where the figures go as JSON")
    options = parser.parse_args()
    study = load("params/best4sdt.yaml")
    P = study.model_copy(
        update={"judge": ("rubric", "evidence", "transformers"), "judge_model": options.model,
                "base_model": options.model, "base_dtype": "float32"}
    )  # fmt: skip
    train, validation = parts(study)
    drawn = drawn_items(train, validation, options.cases, options.seed)
    items = [item for _, item in drawn]
    judges = make_judges(P, train)
    seconds = {judge.name: cpu_seconds(judge, items[:TIMED], options.mode) for judge in judges}
    report = judge_items(judges, items, mode=options.mode, cache=options.cache)
    alone = {name: run.verdicts for name, run in report.runs.items()}
    rules = {name: verdicts for name, verdicts in alone.items() if name != "transformers"}
    juries = {"popularity": by_popularity(train, items), "jury without the model": combine(rules),
              "jury": report.verdicts}  # fmt: skip
    values = {name: by_case(drawn, verdicts) for name, verdicts in (alone | juries).items()}
    rows = {name: measured(found) | {"cpu_seconds": seconds.get(name)} for name, found in values.items()}
    gain = gained(values["jury"], values["jury without the model"])
    found = {"cases": len(values["jury"]["patient"]), "longest": LONGEST, "judges": rows, "gain": gain}
    print(json.dumps(found, indent=1))
    if options.out:
        before = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
        head = {"model": Path(options.model).name, "source": study.data_source, "training_answers": len(train)}
        write_json(options.out, before | head | {"figures": FIGURES, options.mode: found})


if __name__ == "__main__":
    main()
