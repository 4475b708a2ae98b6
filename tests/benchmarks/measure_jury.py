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
from collections.abc import Sequence
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
from tcm.metrics.intervals import of_shares
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


def measured(drawn: Sequence[tuple[str, Item]], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures of one judge: value, interval over cases, number of cases; a tie counts half."""
    values: dict[str, list[float]] = {name: [] for name in FIGURES}
    by_kind: dict[str, list[float]] = {}
    for (kind, item), verdict in zip(drawn, verdicts, strict=True):
        own, *others, defective = verdict.scores
        if None in verdict.scores:
            continue
        values["patient"].append(fmean(_above(own, other) for other in others))
        values["defects"].append(_above(own, defective))
        by_kind.setdefault(kind, []).append(values["defects"][-1])
        pairs = combinations(zip(others, (herb_f1(item.case, text) for text in item.candidates[1:-1]), strict=True), 2)
        wide = [_above(a, b) if x > y else _above(b, a) for (a, x), (b, y) in pairs if abs(x - y) >= GAP]
        values["order"] += [fmean(wide)] if wide else []
    rows = {}
    for name, found in values.items():
        low, high = of_shares(found) if found else (None, None)
        rows[name] = {"value": fmean(found) if found else None, "low": low, "high": high, "n": len(found)}
    return rows | {"by_defect": {kind: [sum(found), len(found)] for kind, found in sorted(by_kind.items())}}


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
    rows = {name: measured(drawn, verdicts) for name, verdicts in (alone | juries).items()}
    for name, row in rows.items():
        row["cpu_seconds"] = seconds.get(name)
        figures = (f"{key} {row[key]['value']} [{row[key]['low']}, {row[key]['high']}]" for key in FIGURES)
        print(f"{name}: {'; '.join(figures)}; {row['by_defect']}; {row['cpu_seconds']} s")
    found = {"cases": len(drawn), "longest": LONGEST, "judges": rows}
    if options.out:
        before = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
        head = {"model": Path(options.model).name, "source": study.data_source, "training_answers": len(train)}
        write_json(options.out, before | head | {"figures": FIGURES, options.mode: found})


if __name__ == "__main__":
    main()
