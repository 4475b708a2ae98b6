"""The case browser, `cases.html`: every test case with the answers of the physician, of all arms and of the floors.

One page, offline. What models wrote reaches it as data (compressed, in base64) that a script of ours turns into text
nodes; the page admits that script and its style sheet by their hashes and nothing else.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from tcm import answers
from tcm.answers import wording
from tcm.cases import Answer, Case, read_split
from tcm.evidence import CaseEvidence, Evidence
from tcm.knowledge import dose_in_g
from tcm.metrics.sets import herb_at
from tcm.prescriptions import safety
from tcm.unseen import visible_in
from tcm_rlaif.evaluation import tables
from tcm_rlaif.feedback.judges import computed_judge
from tcm_rlaif.study.plan import ABLATION, plan, study_folder
from tcm_rlaif.study.schema import Params

TEMPLATES = Path(__file__).parent / "templates" / "cases"
DOSE_OFF = 1.5  # a dose this many times the physician's, or its inverse, is marked; our choice: half as much again
FIELDS = {"disease": "中医诊断", "syndrome": "证型", "treatment_principle": "治法", "formula": "方剂"}
RIGHT = {"disease": "disease_exact", "syndrome": "syndrome_exact", "formula": "formula_exact"}
SHOWN = ("herb_f1", "syndrome_f1", "disease_f1", "dose_overlap")  # scores of an answer that the page shows


def page_of(data: dict[str, Any], study: str) -> str:
    """The page around the data."""
    script, style = ((TEMPLATES / name).read_text("utf-8") for name in ("browser.js", "browser.css"))
    packed = base64.b64encode(
        gzip.compress(json.dumps(visible_in(data), ensure_ascii=False).encode(), mtime=0)
    ).decode()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    frame = (TEMPLATES / "cases.html").read_text("utf-8")
    filled = {"policy": escape(policy), "study": escape(study), "style": style, "script": script, "data": packed}
    parts = frame.split("{{")
    return parts[0] + "".join(filled[name] + rest for name, rest in (part.split("}}", 1) for part in parts[1:]))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def data_of(P: Params) -> dict[str, Any]:
    """Everything that the page shows.

    Returns:
        `study`, `arms`, `others` (gold and floors), `judge`, and `cases`: one entry a test case, see `_case`.
    """
    runs = {run.folder: run for run in plan(P)}
    evaluations = [name.split("/seed") + [study_folder(P) / folder] for name, folder in runs[ABLATION].inputs]
    data = study_folder(P) / next(run.folder for run in runs.values() if run.stage == "01_data_prep")
    scores = pd.concat(
        [tables.read_table(f / "scores.jsonl").assign(arm=arm, seed=int(seed)) for arm, seed, f in evaluations]
        + [tables.read_table(evaluations[0][2] / "floors.jsonl")]
    )
    train = read_split(data, "train")
    test = [case for case in read_split(data, "test") if case.id in set(scores["case_id"])]
    judge = computed_judge(P, train)
    judge.prepare(test)
    evidence = Evidence(train[: P.sft_cases or None], P.data_near_duplicate).about(test)
    by_case = {case_id: part.to_dict("records") for case_id, part in scores.groupby("case_id")}
    others = [arm for arm in dict.fromkeys(scores["arm"]) if arm not in P.arms]
    return {
        "study": P.study,
        "arms": list(P.arms),
        "others": others,
        "judge": judge.name,
        "cases": [_case(case, by_case[case.id], about, judge) for case, about in zip(test, evidence, strict=True)],
    }


def _case(case: Case, rows: Sequence[dict[str, Any]], about: CaseEvidence, judge) -> dict[str, Any]:
    """One test case: its text, the distinct answers to it, and what the evidence would expect."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = found.setdefault(row["text"], {})
        if not entry:
            entry |= _answer(case, row, judge)
        entry["by"].append([row["arm"], None if pd.isna(row.get("seed")) else int(row["seed"])])
    return {
        "id": case.id,
        "task": case.task,
        "disease": case.answer.disease if case.answer else "",
        "text": wording.case_text(case),
        "answers": list(found.values()),
        "evidence": [[row["herb"], round(row["p"], 3)] for row in about.rows(12)],
        "heard": [[row["witness"], round(row["share"], 3)] for row in about.heard(5)],
    }


def _answer(case: Case, row: dict[str, Any], judge) -> dict[str, Any]:
    """One answer, read and marked against the physician's."""
    said, gold = answers.read_for(case, row["text"]).answer, case.answer or Answer()
    herbs, missing = _marked(said, gold)
    found = safety.audit(said.prescription, case.patient, said.packets, said.usage)
    criteria = judge.criteria(case, row["text"])
    return {
        "by": [],
        "text": row["text"],
        "labels": [[name, getattr(said, field), _right(row, field)] for field, name in FIELDS.items()],
        "herbs": herbs,
        "missing": missing,
        "findings": [[f.severity, f.kind, "、".join(f.herbs), f.detail] for f in found],
        "criteria": {name: round(value, 3) for name, value in criteria.items()},
        "score": round(judge.total(criteria), 3),
        "scores": {key: round(row[key], 3) for key in SHOWN if key in row and not pd.isna(row[key])},
    }


def _right(row: dict[str, Any], field: str) -> bool | None:
    value = row.get(RIGHT.get(field, ""))
    return None if value is None or pd.isna(value) else bool(value)


def _marked(said: Answer, gold: Answer) -> tuple[list[list[Any]], list[str]]:
    """The herbs of an answer: name, dose as written, whether the physician gave it, whether the dose is far off."""
    doses = {herb_at(item.herb, "canonical"): dose_in_g(item) for item in gold.prescription}
    rows = []
    for item in said.prescription:
        herb = herb_at(item.herb, "canonical")
        ours, theirs = dose_in_g(item), doses.get(herb)
        off = bool(ours and theirs and max(ours / theirs, theirs / ours) >= DOSE_OFF)
        rows.append([item.herb, "" if item.dose is None else f"{item.dose:g}{item.unit}", herb in doses, off])
    given = {herb_at(herb, "canonical") for herb in said.herbs}
    return rows, [item.herb for item in gold.prescription if herb_at(item.herb, "canonical") not in given]
