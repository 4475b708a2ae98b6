"""A long audit stays readable: what failed stands open, counted by judge, what is met is folded; warnings by seed."""

import pytest

from tcm_rlaif.report import audit_table


def row(judge: str, about: str, verdict: str) -> dict:
    return {"judge of": judge, "about": about, "threshold": "audit_min_x", "value": 0.5, "low": 0.4, "high": 0.6,
            "limit": 0.8, "verdict": verdict, "seeds": "3 of 3"}  # fmt: skip


def rows(judges: int, failed: int, passed: int) -> list[dict]:
    verdicts = ["pass"] * passed + ["fail"] * failed
    return [row(f"judge{j}", f"reading {n}", v) for j in range(judges) for n, v in enumerate(verdicts)]


def test_a_short_audit_is_one_table_which_names_no_judge_that_is_the_only_one() -> None:
    ((_, only),) = audit_table.parts(rows(1, 2, 10)).items()
    assert len(only) == 12 and only[0]["verdict"] == "fail" and "judge of" not in only[0]
    assert "reading 10 (judge0), reading 11 (judge0)" in audit_table.sentence(rows(1, 2, 10))


def test_of_a_long_audit_what_failed_comes_first_and_nothing_is_lost() -> None:
    found = rows(4, 3, 9)
    first, rest = audit_table.parts(found).values()
    assert [r["verdict"] for r in first] == ["fail"] * 12 and len(first) + len(rest) == len(found)
    assert {r["judge of"] for r in first} == {f"judge{j}" for j in range(4)}
    said = audit_table.sentence(found)
    assert said == "12 of 48 thresholds of the judge's audit failed: judge0 3, judge1 3, judge2 3, judge3 3."


@pytest.mark.parametrize("warned, told", [((0, 1), "In 2 of 3 seeds: Warning"), ((), "")])
def test_a_warning_before_training_says_of_how_many_seeds(warned, told) -> None:
    labels = {f"sft_dpo/seed{n}": {"preflight": {"warning": "Warning" if n in warned else ""}} for n in range(3)}
    labels["other/seed0"] = {"preflight": {"warning": "Warning: another"}}
    assert audit_table.warned(labels, "sft_dpo/seed0") == told
