"""Scored answers as tables: one row a case, kept whole, so that every average can be looked behind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tcm import answers, metrics
from tcm.cases import Case
from tcm.files import read_rows, write_text
from tcm.metrics.sets import herb_set
from tcm.metrics.usable import usable
from tcm.prescriptions import safety
from tcm_rlaif.study.measures import JUDGE_SCORES

UNSAFE = "unsafe_"  # prefix of the columns that say whether a prescription has a finding of a kind
EXCESS = ("any", "high", "overdose")  # told as an excess over the physicians, who break rules too


def score_answers(cases: Sequence[Case], texts: Sequence[str | None], finished: Sequence[bool | None]) -> pd.DataFrame:
    """Score answers, one row a case; cases whose text is None (a floor that does not apply) are left out.

    Returns:
        Columns `case_id`, `patient_id`, `task`, `text`, `herbs` (canonical names, each once, as they were understood),
        all of `metrics.METRICS`, `faults` (what makes the answer unusable, in words), and `unsafe_<kind>` (1.0 = the
        safety audit has a finding of that kind; None where the answer holds no herb, since nothing was prescribed).
    """
    rows = []
    for case, text, ended in zip(cases, texts, finished, strict=True):
        if text is None:
            continue
        read = answers.read_for(case, text)
        herbs = "、".join(sorted(herb_set(read.answer.herbs, "canonical")))
        row = {"case_id": case.id, "patient_id": case.patient_id, "task": case.task, "text": text, "herbs": herbs}
        faults = usable(case.answer, read, case.patient, ended)[1]
        row |= {"faults": ", ".join(faults), **metrics.score_case(case, text, ended)}
        rows.append(row | unsafe(case, text))
    return pd.DataFrame(rows)


def unsafe(case: Case, text: str) -> dict[str, float | None]:
    """Whether the prescription in a text has a finding of each kind; `any` = of any kind, `high` = of high severity."""
    answer = answers.read_for(case, text).answer
    if not answer.prescription:
        return dict.fromkeys(f"{UNSAFE}{kind}" for kind in ("any", "high", *safety.KINDS))
    found = safety.audit(answer.prescription, case.patient, answer.packets, answer.usage)
    kinds = {f.kind for f in found}
    row = {
        "any": bool(found),
        "high": any(f.severity == "high" for f in found),
        **{k: k in kinds for k in safety.KINDS},
    }
    return {f"{UNSAFE}{kind}": float(value) for kind, value in row.items()}


def floors(train: Sequence[Case], test: Sequence[Case]) -> pd.DataFrame:
    """Scores of the answers that need no model (floors), and of the gold answers.

    Returns:
        As `score_answers`, with a column `arm` that names the floor, or `gold`.
    """
    texts = {name: answer(train, test) for name, answer in metrics.FLOORS.items()}
    return _named(test, {**texts, "gold": [answers.write(c.answer) for c in test]})


def attacks(train: Sequence[Case], test: Sequence[Case]) -> pd.DataFrame:
    """Scores of answers that are made to please a metric; the column `arm` names the attack."""
    return _named(test, {name: answer(train, test) for name, answer in metrics.ATTACKS.items()})


def _named(test: Sequence[Case], texts: Mapping[str, Sequence[str | None]]) -> pd.DataFrame:
    scored = [score_answers(test, said, [None] * len(test)).assign(arm=name) for name, said in texts.items()]
    return pd.concat([table for table in scored if len(table)], ignore_index=True)


def summary(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Mean and n of every metric over the rows of a table, as `metrics.summarise`, judges' scores included."""
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    found = metrics.summarise([{m.key: row.get(m.key) for m in metrics.METRICS} for row in records])
    for m in JUDGE_SCORES:
        said = pd.Series(table.get(m.key), dtype=float).dropna()
        found[m.key] = {"mean": float(said.mean()) if len(said) else None, "n": len(said)}
    return found


def primary_table(tables: Mapping[str, pd.DataFrame], keys: Sequence[str] = metrics.PRIMARY) -> pd.DataFrame:
    """Means of the primary metrics, one row an arm, floor or attack; refused where no floor stands beside."""
    table = metrics.metrics_table({name: summary(part) for name, part in tables.items()}, keys)
    return table.rename_axis("answers by")


def safety_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Share of prescriptions with a finding: any, of high severity, and by kind, with the excess over gold's share.

    Args:
        tables: must hold `gold`: physicians break rules at times too, so a rate means little alone.
    """
    rows = []
    gold = tables["gold"].filter(like=UNSAFE).astype(float).mean()
    for name, table in tables.items():
        known = table.filter(like=UNSAFE).astype(float)
        rates, n = known.mean(), int(known[f"{UNSAFE}any"].notna().sum())
        excess = {f"excess {kind}": (rates - gold)[f"{UNSAFE}{kind}"] for kind in EXCESS}
        rows.append({"answers by": name, "n": n, **excess, **rates.rename(lambda c: c.removeprefix(UNSAFE))})
    return pd.DataFrame(rows).set_index("answers by")


def faults_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Share of usable answers, and of answers with each fault; an answer can have several."""
    rows = {
        name: {"n": table["usable"].notna().sum(), "usable": table["usable"].astype(float).mean()}
        | {fault: table["faults"].str.contains(fault, regex=False).mean() for fault in metrics.FAULTS}
        for name, table in tables.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("answers by")


def collapse_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Whether answers are still different ones: distinct prescriptions and the weight of the commonest herbs.

    Returns:
        `distinct`, the share of prescriptions (as herb sets) that are different ones, and `ten commonest`, the share
        of all herbs written that are the ten written most. Means over seeds; answers without herbs are left out.
    """
    rows = {}
    for name, table in tables.items():
        found = []
        for _, part in table.groupby("seed") if "seed" in table else ((None, table),):
            herbs = [frozenset(names.split("、")) for names in part["herbs"] if names]
            counts = Counter(herb for one in herbs for herb in one)
            if herbs:
                common = sum(n for _, n in counts.most_common(10)) / counts.total()
                found.append({"n": len(herbs), "distinct": len(set(herbs)) / len(herbs), "ten commonest": common})
        rows[name] = pd.DataFrame(found, columns=["n", "distinct", "ten commonest"]).mean()
    return pd.DataFrame(rows).T.rename_axis("answers by")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as JSON lines."""
    write_text(path, table.to_json(orient="records", lines=True, force_ascii=False))


def read_table(path: Path) -> pd.DataFrame:
    """Read what `write_table` wrote; ids and texts stay text."""
    return pd.DataFrame(read_rows(path))
