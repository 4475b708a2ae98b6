"""What the explore notebook shows of a choice: answers side by side, a prescription under judge, evidence and audit."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from tcm import answers, metrics
from tcm.answers import wording
from tcm.cases import Case
from tcm.metrics.sets import herb_at
from tcm.prescriptions import review, safety
from tcm_rlaif.explore import asking, figures
from tcm_rlaif.explore.opened import variant
from tcm_rlaif.report import browser
from tcm_rlaif.report.show import show_figure, show_table, show_text

if TYPE_CHECKING:
    from tcm_rlaif.explore.controls import Chosen

BESIDE = ("expert", "copy_previous", "nearest_case")  # floors that stand beside the arms
ENDS = ("herb F1", "judge's score", "safety findings")  # the last rows
MOST = 5  # answers beside the physician's that fit a page
FINDINGS = ["severity", "kind", "herbs", "detail", "source"]


def case_and_answers(chosen: "Chosen") -> None:
    """The case, and what was answered to it: gold, every arm with the seed that is picked, some floors."""
    entries = chosen.study.answered[chosen.case.id]["answers"]
    show_text(wording.case_text(chosen.case), label=chosen.case.id)
    for part in beside_gold(side_by_side(entries, chosen.seed)):
        show_table(
            part,
            "Answers side by side: ✓ the physician gave this herb, ≠ in another dose by half; + the physician did not",
        )


def beside_gold(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Many answers as several tables that fit a page: the physician's in each, and the herbs of those shown alone."""
    others = list(table.columns[1:])
    tables = max(1, -(-len(others) // MOST))
    each = max(1, -(-len(others) // tables))
    return [table[[table.columns[0], *others[n * each : (n + 1) * each]]].dropna(how="all") for n in range(tables)]


def side_by_side(entries: list[dict[str, Any]], seed: int) -> pd.DataFrame:
    """The answers to one case as columns, fields and herbs as rows; equal answers share a column.

    Args:
        entries: as `report.browser.data_of` gives them, one for each distinct answer.
        seed: of the arms; an untrained arm has one answer for all seeds.
    """
    once = [name for name, n in Counter(name for entry in entries for name, _ in entry["by"]).items() if n == 1]
    columns = {}
    for entry in entries:
        arms = [name for name, by in entry["by"] if by == seed or (by is not None and name in once)]
        who = [*arms, *(name for name, by in entry["by"] if by is None and name in ("gold", *BESIDE))]
        if who:
            columns[", ".join(sorted(who, key=lambda name: name != "gold"))] = _column(entry)
    first = sorted(columns, key=lambda names: names.split(", ")[0] != "gold")
    have = [row for names in first for row in columns[names].index]
    fields, herbs = [row for row in browser.FIELDS.values() if row in have], [row for row in have if row not in ENDS]
    table = pd.DataFrame({names: columns[names] for names in first})
    return table.reindex(dict.fromkeys((*fields, *herbs, *ENDS))).rename_axis("field or herb")


def _column(entry: dict[str, Any]) -> pd.Series:
    column = {label: value for label, value, _ in entry["labels"] if value}
    for herb, dose, right, off in entry["herbs"]:
        column[herb] = f"{'✓' if right else '+'} {dose}{' ≠' if off else ''}".strip()
    f1 = entry["scores"].get("herb_f1")
    ends = ("–" if f1 is None else f"{f1:.2f}", f"{entry['score']:.2f}", str(len(entry["findings"])))
    return pd.Series(column | dict(zip(ENDS, ends, strict=True)))


def prescription(chosen: "Chosen", text: str) -> None:
    """An answer to the case as it is read, and what judge, evidence and safety audit say of it."""
    study, case = chosen.study, chosen.case
    read = answers.read_for(case, text)
    criteria, about = study.judge.criteria(case, text), study.evidence(case)
    score, expected = study.judge.total(criteria), about.expected_f1(read.answer.herbs)
    judge = f"judge “{study.judge.name}”"
    said = f"{len(read.answer.herbs)} herbs read; score by the {judge} {score:.3f}; expected herb F1 {expected:.2f}"
    if (f1 := metrics.score_case(case, text)["herb_f1"]) is not None:
        said += f"; herb F1 with the physician's answer {f1:.2f}"
    print(said)
    if read.unread:
        print("not read:", " / ".join(read.unread))
    written = {herb_at(herb, "base") for herb in read.answer.herbs}
    likely = [{**row, "written": row["herb"] in written} for row in about.rows(14)]
    show_figure(
        figures.judged(criteria, likely, f"{judge}: {score:.3f}"),
        f"Two bar charts: the criteria of {judge} for this answer, and the herbs that the evidence "
        "finds likeliest, filled where the answer holds them",
    )
    items, patient = read.answer.prescription, case.patient
    found = safety.audit(items, patient, read.answer.packets, read.answer.usage)
    found += review.review(items, case.visit.findings, read.answer.usage, patient)
    rows = [{**vars(f), "herbs": "、".join(f.herbs)} for f in found]
    if rows:
        show_table(pd.DataFrame(rows)[FINDINGS], "Safety audit, and what a pharmacist would ask")
    else:
        print("the safety audit finds nothing")


def why(chosen: "Chosen") -> None:
    """Whom the evidence goes by for this case."""
    rows = pd.DataFrame(chosen.study.evidence(chosen.case).heard(8))
    show_table(rows, "The patterns and training cases that count most for this case; share of all votes")


def asked(chosen: "Chosen", herbs: int = 0, **fields: str) -> None:
    """What the arm answers to the case as it stands in the fields, and what it thinks of writing next.

    Args:
        herbs: after how many herbs of its answer it is asked for the next one.
        fields: findings of the visit, edited.
    """
    case = variant(chosen.case, fields)
    policy = chosen.study.policy(chosen.arm, chosen.seed)
    (text,) = asking.draws(policy, case, 1, 0.0)
    show_text(text, label=f"{chosen.arm}, seed {chosen.seed}, greedy")
    beginning = asking.begun(text, herbs)
    rows = asking.next_tokens(policy, case, beginning)
    likely = "; ".join(f"{row.next} {row.probability:.2f}" for row in rows.itertuples())
    alt = f"Bar chart of the likeliest next tokens: {likely}"
    show_figure(figures.next_tokens(rows, f"…{beginning[-16:]} ?"), alt)


def ranked(chosen: "Chosen", number: int = 6, temperature: float = 0.9, draw_seed: int = 0) -> None:
    """Draw answers to the case and let the judge rank them, best first."""
    policy, judge, case = chosen.study.policy(chosen.arm, chosen.seed), chosen.study.judge, chosen.case
    rows = rank(judge, case, asking.draws(policy, case, number, temperature, draw_seed))
    alt = "; ".join(f"draw {row['draw']}: judge {row['score']:.2f}" for row in rows)
    show_figure(figures.ranking(rows, judge.name), f"Stacked bars of what each criterion adds to the score: {alt}")
    for name, row in {"best": rows[0], "worst": rows[-1]}.items():
        show_text(row["text"], label=f"{name} by the judge: draw {row['draw']}, score {row['score']:.3f}")


def rank(judge: Any, case: Case, texts: list[str]) -> list[dict[str, Any]]:
    """Draws in the judge's order: `draw`, `text`, `score`, `parts` (criterion -> what it adds), `herb_f1` or None."""
    rows = []
    for number, text in enumerate(texts, 1):
        criteria = judge.criteria(case, text)
        row = {"draw": number, "text": text, "score": judge.total(criteria), "parts": judge.parts(criteria)}
        rows.append({**row, "herb_f1": metrics.score_case(case, text)["herb_f1"]})
    return sorted(rows, key=lambda row: -row["score"])
