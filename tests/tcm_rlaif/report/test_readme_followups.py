"""The table on follow-ups says what `reports/followups.json` holds, and calls above or below what intervals show."""

from tcm_rlaif.report import measured


def cell(mean: float, low: float, high: float) -> dict:
    return {"mean": mean, "beside copying": (low + high) / 2, "low": low, "high": high}


def row(answers: int, greedy: dict, best: dict) -> dict:
    return {
        "answers": answers,
        "greedy": greedy,
        "best": best,
        "rules": 0.25,
        "changed": 3.0,
        "right": 0.5,
        "wanted": 2,
    }


FOUND = {"cases": 9, "seeds": [0, 1], "copying": 0.9, "base rules": 0.75, "rows": [
    row(40, cell(0.8, -0.15, -0.05), cell(0.85, -0.06, -0.04)),
    row(110, cell(0.88, -0.03, 0.01), cell(0.92, 0.01, 0.03)),
    row(330, cell(0.89, -0.02, 0.02), cell(0.93, 0.02, 0.04)),
]}  # fmt: skip


def test_the_table_and_the_verdict_come_from_the_file() -> None:
    text = measured.followups(FOUND)
    assert "| 40 | 0.800 | -0.100 [-0.150, -0.050] | 0.850 | -0.050 [-0.060, -0.040] | 3.0 (0.5) | 25% |" in text
    assert "Copying has 0.900; physicians change 2.0 herbs a visit" in text and "names the rule for 75%" in text
    assert text.endswith(
        "Below copying: greedy with 40 answers; below copying: best with 40 answers; not clearly beside copying: "
        "greedy with 110, 330 answers; above copying: best with 110, 330 answers."
    )
