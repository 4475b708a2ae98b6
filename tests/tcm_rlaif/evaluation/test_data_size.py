"""What helps at which number of answers is told by the difference from plain SFT on the same; nothing is left out."""

from types import SimpleNamespace

import pandas as pd
import pytest
import written_study

from tcm_rlaif.evaluation import ablation, data_size, rarity
from tcm_rlaif.study import params

CASES = [f"c{number}" for number in range(40)]
ARMS = {"base": {"training": "none"}, "sft": {"training": "sft"}, "tasks": {"training": "sft", "sft_tasks": 2},
        "prompt": {"training": "sft", "adapter": "prompt"}}  # fmt: skip
ASKED = {"tasks_40 - sft_40": "tasks", "prompt_40 - sft_40": "prompt"}
STUDY = params.validated({"seeds": [0, 1, 2], "sizes": {10: 3, 40: 3}, "arms": ARMS, "study": "never_run_sizes",
                          "ablation_questions": ASKED}, "x")  # fmt: skip
GAINS = {"tasks_10": 0.1, "tasks_40": 0.0, "prompt_10": 0.0, "prompt_40": -0.1}


def scores(arm: str) -> pd.DataFrame:
    """Scores of an arm: cases differ, seeds hardly, and an idea's gain is the same for all of them."""
    rows = [
        {"arm": arm, "seed": seed, "case_id": case, "patient_id": case, "herb_f1": 0.3 + 0.005 * number
         + GAINS.get(arm, 0.0) + 0.001 * (seed * number % 3)}
        for seed in STUDY.seeds for number, case in enumerate(CASES)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def table():
    tables = {arm: scores(arm) for arm in STUDY.arms}
    evidence = SimpleNamespace(tables=tables, patient_of={case: case for case in CASES})
    return data_size.rows(evidence, ablation.arm_means(evidence, "herb_f1", STUDY), "herb_f1", STUDY)


def test_every_idea_has_a_row_at_every_size_whether_it_helped_or_not(table):
    assert list(zip(table["idea"], table["answers"], strict=True)) == [
        (idea, size) for idea in ("sft", "tasks", "prompt") for size in (10, 40)
    ]


def test_an_idea_is_compared_with_plain_sft_on_as_many_answers(table):
    found = table.set_index(["idea", "answers"])
    assert found.loc[("tasks", 10), "difference"] == pytest.approx(0.1)
    assert found.loc[("prompt", 40), "difference"] == pytest.approx(-0.1)
    assert found["stands"].dropna().to_dict() == {
        ("tasks", 10): data_size.ABOVE,
        ("tasks", 40): data_size.UNCLEAR,
        ("prompt", 10): data_size.UNCLEAR,
        ("prompt", 40): data_size.BELOW,
    }


def test_the_sentences_say_what_helps_where_and_what_does_not(table):
    said = list(data_size.findings(table, "herb_f1"))
    assert (
        said[0] == "At 10 answers, herb_f1: above plain SFT: tasks (+0.100); no clear difference: prompt (+0.000) "
        "(each by its own interval, not adjusted together)."
    )
    assert said[1] == (
        "At 40 answers, herb_f1: no clear difference: tasks (+0.000); below plain SFT: prompt (-0.100) (each by its "
        "own interval, not adjusted together; declared: their adjusted verdicts stand with the comparisons)."
    )
    assert said[2:] == [
        "tasks: above plain SFT at 10 answers.",
        "prompt: below plain SFT at 40 answers.",
        "Of 4 such intervals some may exclude 0 by chance alone (at 95 % about one in twenty).",
    ]


def test_a_difference_without_spread_on_few_cases_proves_nothing():
    tables = {arm: scores(arm).query("case_id in ('c0', 'c1', 'c2')") for arm in STUDY.arms}
    evidence = SimpleNamespace(tables=tables, patient_of={case: case for case in CASES})
    found = data_size.rows(evidence, ablation.arm_means(evidence, "herb_f1", STUDY), "herb_f1", STUDY)
    assert set(found["stands"].dropna()) == {data_size.UNCLEAR}


def test_one_seed_is_called_exploratory(table):
    assert "exploratory" in next(data_size.findings(table.assign(seeds=1), "herb_f1"))


def test_minutes_are_a_ratio_to_plain_sft(table):
    timed = table.assign(minutes=[1.0, 2.0, 2.0, 4.0, 1.0, 2.0])
    assert "It takes 2.0 times the minutes of plain SFT" in list(data_size.findings(timed, "herb_f1"))[2]


def test_the_figure_has_a_line_for_every_idea_and_every_floor(table):
    from tcm_rlaif.report.data_size import figure

    floors = pd.DataFrame([{"metric": "herb_f1", "answers by": name, "answers": size, "mean": 0.3}
                           for name in ("expert", "popularity") for size in (10, 40, 150)])  # fmt: skip
    left = figure(table.assign(minutes=1.0), floors, "herb_f1").axes[0]
    labels = left.get_legend_handles_labels()[1]
    assert labels == ["sft", "tasks", "prompt", "expert (no model)", "popularity (no model)"]


@pytest.mark.parametrize(
    ("number", "group"), [(0, "none"), (1, "1 or 2"), (2, "1 or 2"), (3, "3 or more"), (9, "3 or more")]
)
def test_a_disease_counts_by_its_training_answers(number, group):
    assert rarity.group_of(number) == group


def test_scores_by_how_often_the_arm_s_own_answers_met_the_disease():
    def case(name, disease):
        return written_study.case(name, written_study.answer("柴胡", disease=disease), text=f"{name}，失眠")

    train = [case(f"t{n}", "不寐") for n in range(20)] + [case("t20", "眩晕")]
    test = [case("a", "不寐"), case("b", "眩晕")]
    rows = pd.DataFrame({"case_id": ["a", "b"] * 2, "seed": [0, 0, 1, 1], "herb_f1": [0.4, 0.2, 0.6, 0.0]})
    evidence = SimpleNamespace(tables=dict.fromkeys(STUDY.arms, rows))
    found = rarity.table(evidence, train, test, "herb_f1", STUDY).set_index("arm")
    assert list(found.index) == [arm for arm in STUDY.arms if arm != "base"]
    assert found.loc["sft_10", ["none", "3 or more"]].tolist() == pytest.approx([0.1, 0.5])
    assert found.loc["sft_40", ["1 or 2", "3 or more"]].tolist() == pytest.approx([0.1, 0.5])
    assert found.loc["sft_10", "cases, none"] == 1 and found.loc["sft_40", "cases, none"] == 0
