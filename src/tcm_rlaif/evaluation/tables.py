"""Scored answers as tables: one row a case, kept whole, so that every average can be looked behind."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tcm import answers, metrics
from tcm.cases import Case
from tcm.files import write_text
from tcm.prescriptions import safety

UNSAFE = "unsafe_"  # prefix of the columns that say whether a prescription has a finding of a kind


def score_answers(cases: Sequence[Case], texts: Sequence[str | None], finished: Sequence[bool | None]) -> pd.DataFrame:
    """Score answers, one row a case; cases whose text is None (a floor that does not apply) are left out.

    Returns:
        Columns `case_id`, `task`, `text`, all of `metrics.METRICS`, and `unsafe_<kind>` (1.0 = the safety audit has a
        finding of that kind; None where the answer holds no herb, since nothing was prescribed).
    """
    rows = []
    for case, text, ended in zip(cases, texts, finished, strict=True):
        if text is None:
            continue
        row = {"case_id": case.id, "task": case.task, "text": text, **metrics.score_case(case, text, ended)}
        rows.append(row | unsafe(case, text))
    return pd.DataFrame(rows)


def unsafe(case: Case, text: str) -> dict[str, float | None]:
    """Whether the prescription in a text has a finding of each kind; `unsafe_any` = of any kind."""
    answer = answers.read_for(case, text).answer
    found = {f.kind for f in safety.audit(answer.prescription, case.patient, answer.packets, answer.usage)}
    if not answer.prescription:
        return dict.fromkeys(f"{UNSAFE}{kind}" for kind in ("any", *safety.KINDS))
    return {f"{UNSAFE}any": float(bool(found))} | {f"{UNSAFE}{kind}": float(kind in found) for kind in safety.KINDS}


def floors(train: Sequence[Case], test: Sequence[Case]) -> pd.DataFrame:
    """Scores of the answers that need no model (floors), of attacks on the metrics, and of the gold answers.

    Returns:
        As `score_answers`, with a column `arm` that names the floor, the attack or `gold`.
    """
    tables = []
    for name, answer in {**metrics.FLOORS, **metrics.ATTACKS}.items():
        texts = answer(train, test)
        tables.append(score_answers(test, texts, [None] * len(test)).assign(arm=name))
    gold = [answers.write(c.answer) for c in test]
    tables.append(score_answers(test, gold, [None] * len(test)).assign(arm="gold"))
    return pd.concat([t for t in tables if len(t)], ignore_index=True)


def summary(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Mean and n of every metric over the rows of a table, as `metrics.summarise`."""
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    return metrics.summarise([{m.key: row.get(m.key) for m in metrics.METRICS} for row in records])


def primary_table(tables: Mapping[str, pd.DataFrame], keys: Sequence[str] = metrics.PRIMARY) -> pd.DataFrame:
    """Means of the primary metrics, one row an arm, floor or attack; refused where no floor stands beside."""
    table = metrics.metrics_table({name: summary(part) for name, part in tables.items()}, keys)
    return table.rename_axis("answers by")


def safety_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Share of prescriptions with a finding, by kind, and the excess over the gold answers' own share.

    Args:
        tables: must hold `gold`: physicians break rules at times too, so a rate means little alone.
    """
    rows = []
    gold = tables["gold"][f"{UNSAFE}any"].mean()
    for name, table in tables.items():
        columns = [c for c in table if c.startswith(UNSAFE)]
        known = table[columns].astype(float)
        rates = known.mean().rename(lambda c: c.removeprefix(UNSAFE))
        rows.append(
            {
                "answers by": name,
                "n": int(known[f"{UNSAFE}any"].notna().sum()),
                "excess over gold": rates["any"] - gold,
                **rates,
            }
        )
    return pd.DataFrame(rows).set_index("answers by")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as JSON lines."""
    write_text(path, table.to_json(orient="records", lines=True, force_ascii=False))


def read_table(path: Path) -> pd.DataFrame:
    """Read what `write_table` wrote; ids and texts stay text."""
    return pd.DataFrame([json.loads(line) for line in path.read_text("utf-8").split("\n") if line])
