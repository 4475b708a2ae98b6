"""The first sentences of a report: effects, floors of the task and safety from the numbers, and what was not shown."""

import json
from typing import get_args

import pytest

from tcm_rlaif.evaluation import comparisons, standing
from tcm_rlaif.report import audit_table, first_screen, headline, in_short, index, results
from tcm_rlaif.report.safe_html import problems
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params


@pytest.fixture(scope="module")
def values(evidence, stage) -> dict:
    table = comparisons.comparisons(evidence, stage.study)
    return results.gather(evidence, stage.study, table, results.cost(stage.study))


def test_the_answer_tells_both_effects_the_floor_of_each_task_and_the_physicians_safety(values) -> None:
    imitation, feedback, floors, variety, safety = headline.answer(values)
    assert variety.endswith("the invented physicians' own 100%; sft 100%, sft_dpo 100%.")
    assert "herb_f1 from 0.00 to 0.67, by +0.667" in imitation and "(sft_dpo - sft): herb_f1 by +0.333" in feedback
    assert (
        "on first visits (n = 1) popularity has herb_f1 0.500" in floors and "copy_previous has herb_f1 0.667" in floors
    )
    assert "sft_dpo, 1.000: +0.500 [" in floors and "**beats it**; expert, which knows what the judge knows" in floors
    assert floors.count("\n    - ") == 2, "each task stands on a line of its own"
    assert "**" not in headline.plain(floors) and "\n" not in headline.plain(floors)
    assert "the invented physicians' own 0% (0.0%); sft 0% (0.0%), sft_dpo 0% (0.0%)" in safety and "base" not in safety
    assert safety.endswith("Clearly more often than theirs: any finding in none, of high severity in none.")


def test_the_lead_tells_imitation_feedback_and_which_arms_pass_the_floors(values) -> None:
    found = {name: value for name, value in values.items() if name != "promises"}  # not known yet on a report's page
    assert found["starts"] == {"sft_dpo": "sft"}
    asked, line, *_ = first_screen.markdown(found).split("\n\n")
    assert asked == headline.question(found) and line == f"**{first_screen.lead(found)}**"
    assert "declared tests" in headline.answer(found)[2], "floors are shown, not tested"
    imitation, feedback, first, later = first_screen.lead(found).split(". ")
    assert imitation.startswith("SFT takes herb_f1 from 0.00 to 0.67 (") and "exploratory" in imitation
    assert feedback.startswith("AI feedback changes that by +0.333 in sft_dpo (")
    assert (
        first
        == "On first visits, arms clearly above popularity (0.50): sft, sft_dpo; above expert_rule (0.00): sft, sft_dpo"
        " (2 seed(s): exploratory)"
    )
    assert "exploratory" not in first_screen.lead(found | {"seeds": [0, 1, 2]}).split(". On ")[1]
    assert later.startswith("On follow-up visits, arms clearly above copy_previous (0.67): ")
    rows = [{**row, "stands": standing.UNCLEAR} for row in values["standing"]]
    assert "above popularity (0.50): none; above" in first_screen.lead({**found, "standing": rows})


def test_a_choice_at_the_test_is_feedback_on_the_arm_that_it_is_compared_with(values) -> None:
    keys = {"base_asked": {"training": "none"}, "asked": {"training": "sft"}}
    keys["chosen"] = {"training": "sft", "eval_number": 8}
    arms = {name: {"herb_f1": {"mean": mean}} for name, mean in (("base_asked", 0.2), ("asked", 0.6), ("chosen", 0.7))}
    shared = {"metric": "herb_f1", "declared": True, "difference": 0.1, "verdict": "higher"}
    rows = [{**shared, "arms": pair} for pair in ("asked - base_asked", "chosen - asked")]
    found = {**values, "params": {"arms": keys}, "arms": arms, "starts": {}, "comparisons": rows, "standing": []}
    assert first_screen.lead(found) == (
        "SFT (asked) takes herb_f1 from 0.20 to 0.60 (higher). AI feedback changes that by +0.100 in chosen (higher)."
    )


@pytest.mark.parametrize("verdict, told", [("higher", ""), ("no clear difference", ", but not clearly above shuffled")])
def test_a_gain_that_a_control_has_too_is_told_with_the_control(values, verdict, told) -> None:
    shared = {"metric": "herb_f1", "declared": True, "difference": 0.0312}
    rows = [{**shared, "arms": "sft_dpo - sft", "verdict": "higher"}]
    rows += [{**shared, "arms": "sft_dpo - shuffled", "verdict": verdict}]
    said = first_screen.lead({**values, "comparisons": rows, "standing": []})
    assert said == f"SFT reaches herb_f1 0.67. AI feedback changes that by +0.031 in sft_dpo (higher{told})."


def test_other_declared_metrics_are_told_where_they_clearly_differ(values) -> None:
    shared = {"arms": "sft_dpo - sft", "shows": "what feedback adds", "declared": True, "low": 0.1, "high": 0.3}
    rows = [
        {**shared, "metric": metric, "difference": difference, "verdict": verdict}
        for metric, difference, verdict in (
            ("usable", 0.2, "higher"),
            ("judge_score", -0.125, "lower"),
            ("herb_f1", 0.2, "higher"),
            ("dose_overlap", 0.3, "higher"),  # not declared as primary
        )
    ]
    told = headline.answer({**values, "comparisons": rows})[1]
    assert told == (
        "**AI feedback**: what feedback adds (sft_dpo - sft): herb_f1 by +0.200 [+0.100, +0.300], **higher**; "
        "judge_score by -0.125, **lower**; usable by +0.200, **higher**."
    )
    rows[0] |= {"verdict": "no clear difference"}
    rows[1] |= {"verdict": "2 seeds: exploratory (lower there)"}
    told = headline.answer({**values, "comparisons": rows})[1]
    assert told.endswith("**higher**; judge_score by -0.125, **lower, exploratory**.")


def test_safety_tells_which_arms_are_clearly_less_safe_and_who_wrote_few_prescriptions(values) -> None:
    safety = [
        {"answers by": name, "n": n, "any": rate, "high": 0.004}
        for name, n, rate in (("sft", 4, 0.5), ("sft_dpo", 1, 0.25), ("gold", 2, 0.1))
    ]
    excess = [
        {"arm": "sft", "finding": "any finding", "low": 0.2},
        {"arm": "sft_dpo", "finding": "any finding", "low": 0},
    ]
    told = headline.answer({**values, "safety": safety, "safety_excess": excess})[-1]
    assert (
        "the invented physicians' own 10% (0.4%); sft 50% (0.4%), sft_dpo 25% of 1 in 4 answers (0.4%). Clearly" in told
    )
    assert told.endswith("any finding in sft, of high severity in none.")
    excess[1] |= {"low": 0.1}
    told = headline.answer({**values, "safety": safety, "safety_excess": excess})[-1]
    assert "any finding in all of them" in told


def test_how_alike_the_answers_to_different_patients_are_is_told_beside_the_physicians(values) -> None:
    nan, rows = float("nan"), []
    for name, n, share in (("base", 4, 1.0), ("sft", 4, 0.25), ("sft_dpo", nan, nan), ("gold", 4, 0.75)):
        rows.append({"answers by": name, "n": n, "distinct": share})
    told = [line for line in headline.answer({**values, "collapse": rows}) if "Different prescriptions" in line]
    assert len(told) == 1 and told[0].endswith("of the invented physicians' own 75%; sft 25%.")
    assert headline.variety({**values, "collapse": rows}, {"sft_dpo"}) == []  # it wrote none


def test_an_arm_that_wrote_no_prescription_is_told_without_a_rate(values) -> None:
    nan = float("nan")
    rows = [{"answers by": name, "n": n, "any": any_, "high": any_}
            for name, n, any_ in (("sft", 4, 0.5), ("sft_dpo", 0, nan), ("gold", 2, 0.1))]  # fmt: skip
    told = headline.answer({**values, "safety": rows, "safety_excess": []})[-1]
    assert "sft 50% (50.0%); no prescription at all by sft_dpo. Clearly" in told and "nan" not in told


def test_without_an_untrained_model_to_compare_it_is_told_how_far_imitation_comes(values) -> None:
    rows = [row for row in values["comparisons"] if not row["arms"].endswith(" - base")]
    told = headline.answer({**values, "comparisons": rows})[0]
    assert told.startswith("**Imitation (SFT)** reaches herb_f1 0.667 [") and "not asked here" in told


def test_only_what_learned_from_feedback_or_lets_the_judge_choose_is_called_feedback(values) -> None:
    arms = {"sft_dpo": {"training": "sft", "prompt_patterns": 3}}
    told = headline.answer({**values, "params": {**values["params"], "arms": arms}})[1]
    assert told.startswith("**Asked**") and "AI feedback" not in told.split(":")[0]
    arms["sft_dpo"]["eval_number"] = 8
    assert headline.answer({**values, "params": {**values["params"], "arms": arms}})[1].startswith("**AI feedback**")


def test_an_interval_beside_0_and_a_verdict_that_seems_to_deny_it_are_reconciled(values) -> None:
    row = next(row for row in values["comparisons"] if row["arms"] == "sft_dpo - sft" and row["metric"] == "herb_f1")
    apart = {**row, "low": 0.01, "high": 0.6, "p_holm": 0.106, "verdict": "no clear difference"}
    told = headline.answer({**values, "comparisons": [apart]})[1]
    assert told.endswith("**no clear difference** after adjustment for all declared tests (p = 0.106).")
    for other in ({"verdict": "higher"}, {"low": -0.01}):
        assert "adjustment" not in headline.answer({**values, "comparisons": [{**apart, **other}]})[1]


def test_an_arm_that_is_never_trained_is_no_best_trained_arm(values) -> None:
    best = max(row["mean"] for row in values["standing"]) + 0.1
    rows = [*values["standing"], *({**row, "arm": "base_retrieved", "mean": best} for row in values["standing"])]
    arms = {**values["params"].get("arms", {}), "base_retrieved": {"training": "none", "prompt_patterns": 3}}
    told = headline.answer({**values, "standing": rows, "params": {**values["params"], "arms": arms}})
    assert "base_retrieved" not in "".join(told) and "best trained arm, sft_dpo" in "".join(told)


def test_the_best_trained_arm_is_told_with_its_variety_and_safety_also_where_no_declared_test_asks_for_it(
    values,
) -> None:
    best = max(row["mean"] for row in values["standing"]) + 0.1
    rows = [*values["standing"], *({**row, "arm": "leader", "mean": best} for row in values["standing"])]
    more = {key: [*values[key], *({**row, "answers by": "leader"} for row in values[key] if row["answers by"] == "sft")]
            for key in ("safety", "collapse")}  # fmt: skip
    arms = {**values["arms"], "leader": values["arms"]["sft"]}
    told = headline.answer({**values, **more, "standing": rows, "arms": arms})
    assert ["leader" in line for line in told if line.startswith(("**Different", "**Safety"))] == [True, True]


def test_how_sure_it_is_is_told_beside_the_answer(values) -> None:
    said = first_screen.markdown(values).splitlines()[-1]
    assert said.startswith("In square brackets: 95% intervals over seeds and cases; of judge_score and usable only")


def test_what_the_study_cannot_show_is_said(values) -> None:
    said = "; ".join(headline.not_shown(values))
    assert "2 seed(s), so every verdict is exploratory" in said and "the cases are invented" in said
    assert "anything beyond these 2 test cases: each weighs 50% of a mean" in said
    many = {"splits": [{"split": "test", "cases": 30}], "source": "invented"}
    assert "weighs" not in "; ".join(headline.not_shown({**values, "data": many}))
    assert "a difference in herb_f1 of sft - base, " in said and "nan" not in said
    rows = [{**row, "mdd": 0.0335} for row in values["comparisons"]]
    assert "sft - base (detectable from 0.034 unadjusted)" in headline.not_shown({**values, "comparisons": rows})[0]
    assert "invented" not in "; ".join(headline.not_shown({**values, "data": {**values["data"], "source": "mtcmb"}}))


def test_an_arm_with_fewer_seeds_than_others_is_told(values) -> None:
    keys = {**values["all_params"], "arm_seeds": {"sft_dpo": [1]}}
    found = {**values, "seeds": [0, 1, 2], "all_params": keys}
    said = "; ".join(headline.not_shown(found))
    assert "anything beyond these trainings of sft_dpo (one seed)" in said and "every verdict" not in said
    assert "above popularity (0.50): sft, sft_dpo (one seed)" in first_screen.lead(found)
    assert "the best trained arm, sft," in "; ".join(headline.answer(found)), "of those with all seeds"
    told = {seeds: in_short.table({"mtcmb": of}, "zh") for seeds, of in (("all", values), ("fewer", found))}
    assert "| 1.00 [" in told["all"] and "| 1.00 [" not in told["fewer"]


def test_the_line_of_a_study_on_an_axis_tells_which_ideas_stand_apart(values) -> None:
    verdicts = {"tasks": (0.05, "higher"), "order": (0.01, "no clear difference"), "prompt": (-0.2, "lower")}
    verdicts["prefix"] = (-0.1, "one seed: exploratory (lower there)")
    rows = [
        {
            **{"arms": f"{idea}_40 - sft_40", "metric": "herb_f1", "declared": True, "difference": d, "verdict": said},
            **{"exploratory": "exploratory" in said, "seeds": [d]},
        }
        for idea, (d, said) in verdicts.items()
    ]
    keys = {**values["all_params"], "sizes": {"10": 3, "40": 5}}
    arms = {"base": {"herb_f1": {"mean": 0.0}}, "sft_40": {"herb_f1": {"mean": 0.441}}}
    found = {**values, "arms": arms, "comparisons": rows, "starts": {}, "standing": [], "all_params": keys}
    assert first_screen.lead(found) == (
        "With 40 answers plain SFT reaches herb_f1 0.44; of 4 ideas clearly above it: tasks (+0.050); clearly below: "
        "prompt (-0.200), prefix (-0.100, one seed)."
    )


def test_the_question_names_answers_model_cases_and_seeds(values) -> None:
    said = headline.question(values)
    assert "2 answers of invented physicians" in said and "2.0 million" in said and "2 invented cases, 2 seeds" in said
    textbook = {**values, "data": {**values["data"], "source": "mtcmb"}}
    assert "2 answers of textbooks take" in headline.question(textbook)
    axis = {**values["all_params"], "sizes": {"10": 3, "110": 3}}
    assert "How far do 10 to 110 answers of" in headline.question({**values, "all_params": axis})
    assert "and then by AI feedback" in said
    plain = {**values, "arms": {name: arm for name, arm in values["arms"].items() if name != "sft_dpo"}}
    assert "by imitation (SFT)? Tested" in headline.question(plain)
    limited = {**values["all_params"], "eval_cases": 1}
    assert "Tested on 1 invented cases" in headline.question({**values, "all_params": limited})


def test_answers_from_the_beginning_of_a_file_are_called_what_they_are(values) -> None:
    assert values["data"]["order"] == "by lot"
    few = {**values, "all_params": {**values["all_params"], "sft_cases": 1}}
    records = {**few["data"], "source": "best4sdt"}
    by_order = {key: value for key, value in records.items() if key != "order"}  # as older results have it
    assert "1 answers of physicians take" in headline.question({**few, "data": records})
    assert headline.question({**few, "data": by_order}).endswith("are the first of the file, no sample of it.")
    for data, asked in ((records, few), (by_order, values), (few["data"], few)):
        assert "no sample" not in headline.question({**asked, "data": data})


def test_findings_of_older_results_are_told_in_todays_words(values) -> None:
    assert headline.findings(values) == values["findings"]
    older = [{**row, "stands": "does not beat it"} for row in values["standing"]]
    assert (
        headline.findings({**values, "standing": older, "findings": ["in the words of its day"]}) == values["findings"]
    )


def test_every_source_of_cases_is_called_by_words(values) -> None:
    for source in get_args(Params.model_fields["data_source"].annotation):
        assert headline.source({"data": {"source": source}}).endswith(("cases", ")", "records"))


def test_the_figure_has_one_plain_and_one_knowing_floor(values) -> None:
    assert {metric: list(floors) for metric, floors in first_screen.lines(values).items()} == {
        "herb_f1": ["best_per_task", "expert"],
        "judge_score": ["best_per_task", "expert_rule"],
        "usable": ["best_per_task", "expert_rule"],
        "dose_overlap": ["best_per_task", "expert"],
        "followup_change_f1": ["best_per_task", "expert_rule"],
    }


@pytest.mark.parametrize("path", sorted((ROOT / "reports").glob("*/results.json")), ids=lambda path: path.parent.name)
def test_every_published_study_still_has_its_headline(path) -> None:
    found = json.loads(path.read_text("utf-8"))
    assert len(headline.answer(found)) >= 2 and headline.question(found).endswith(".")
    audit_table.sentence(audit_table.rows(found))


def reading(value: float | None, low: float | None, high: float | None) -> dict:
    return {"value": value, "low": low, "high": high, "n": 20}


def audited(**changes) -> dict:
    """Results with one audit: detection open, rank agreement failed, the rest met or not measured."""
    own = {"judge": "rubric", "scored_by": "score", "figure": "own_above_other", **reading(0.8, 0.7, 0.9)}
    audit = {
        "detection": [{"defect": "dose_times_5", "rate": 0.85, "detected": 17, **reading(0.85, 0.7, 0.95)}],
        "readings": [{"reading": "kendall_tau", "judge": "all", **reading(0.0, -0.05, 0.05)},
                     {"reading": "length_correlation", "judge": "all", **reading(0.1, 0.0, 0.2)},
                     {"reading": "order_flip_rate", "judge": "rubric", **reading(None, None, None)}],
        "physicians": {"rows": [own]},
    }  # fmt: skip
    arms = {"arms": {"sft": {"training": "sft"}, "sft_dpo": {}}}
    return {"all_params": arms, "judge": {"sft_dpo/seed0": audit, "sft_dpo/seed1": audit | changes}}


def test_the_audit_is_one_table_and_its_sentence_names_what_failed() -> None:
    rows = audit_table.rows(audited())
    verdicts = {row["about"]: (row["verdict"], row["seeds"]) for row in rows}
    assert verdicts == {
        "detection of dose_times_5": ("not shown", "2 of 2"),
        "rank agreement with herb F1": ("fail", "2 of 2"),
        "this patient's answer above another's": ("pass", "2 of 2"),
        "verdicts of rubric by order": ("not measured", "2 of 2"),
        "score by length": ("pass", "2 of 2"),
    }
    said = audit_table.sentence(rows)
    assert "1 of 5 thresholds of the judge's audit failed: rank agreement with herb F1 (sft_dpo)." in said
    assert "not shown to be met: detection of dose_times_5 (sft_dpo)." in said
    shown = audit_table.shown(rows)
    assert shown[0]["verdict"] == "fail" and shown[0]["value"] == "0.00 [-0.05, 0.05]"
    assert shown[0]["limit"] == "at least 0.1" and shown[-1]["value"] == "–"


def test_one_bad_seed_is_told() -> None:
    worse = [{"defect": "dose_times_5", "rate": 0.2, "detected": 4, **reading(0.2, 0.1, 0.4)}]
    row = audit_table.rows(audited(detection=worse))[0]
    assert (row["verdict"], row["seeds"]) == ("fail", "1 of 2")


def test_the_index_lists_what_is_published_and_links_what_is_there(tmp_path, values) -> None:
    for name in ("mini", "private"):
        results.write(tmp_path / name / "results.json", values | {"study": name})
    for name in ("report.html", "probes.html", "explore.html"):
        (tmp_path / "mini" / name).write_text("", "utf-8")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "results.json").write_text('{"study": "old", "arms": {}}', "utf-8")
    page = index.publish(tmp_path, {"mini", "old"}).read_text("utf-8")
    assert problems((tmp_path / "index.html").read_text("utf-8")) == []
    assert '<a href="mini/report.html">report</a>' in page and "cases.html" not in page and "private" not in page
    assert 'href="mini/probes.html"' in page and 'href="mini/explore.html"' in page and "old/" not in page
    assert page.index('<a href="mini/report.html">mini</a>') < page.index("<h2>"), "each in a line comes first"
    assert "+0.667" in page and "./study report old writes them again" in page
