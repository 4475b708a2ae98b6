"""The explore notebook's parts: which study is opened, answers side by side, an edit under the judge, draws ranked."""

import os
import shutil

import pandas as pd
import pytest
import written_study
from written_study import TEST, answer

from tcm import answers
from tcm.files import write_json
from tcm_rlaif.explore import asking, opened, views
from tcm_rlaif.explore.controls import Picker
from tcm_rlaif.study import lab, params, plan
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.plan import StageError

MINI = "study: mini\nseeds: [0, 1]\narms: {base: {training: none}, sft: {training: sft}, sft_dpo: {}}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder with one finished study, written by hand."""
    root = tmp_path_factory.mktemp("project")
    with written_study.opened(root) as stage, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened, "ROOT", root)
        patch.delenv(lab.CHOSEN, raising=False)
        for name in lab.SESSIONS:
            patch.delenv(name, raising=False)
        write_json(stage.folder / "stage.json", {})
        (plan.study_folder(stage.study) / params.SNAPSHOT).write_text(MINI, "utf-8")
        yield root


@pytest.fixture(scope="module")
def study(project):
    return opened.opened("mini")


def chosen(study, case_id="a", arm="sft", seed=0):
    from tcm_rlaif.explore.controls import Chosen

    return Chosen(study, arm, seed, study.cases[case_id])


def test_where_nobody_chose_a_study_the_newest_finished_one_is_opened(project) -> None:
    assert opened.first_choice("") == "mini"


def test_a_study_that_was_chosen_and_is_not_finished_is_refused_with_its_command(project, monkeypatch) -> None:
    with pytest.raises(StageError, match=r"study 'smoke' is not finished: ./study run params/smoke.yaml$"):
        opened.first_choice("params/smoke.yaml")
    monkeypatch.setenv(lab.CHOSEN, "params/smoke.yaml")
    with pytest.raises(StageError, match="./study run params/smoke.yaml"):
        opened.first_choice("")


def test_without_any_finished_study_one_line_says_which_command_makes_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(opened, "ROOT", tmp_path)
    monkeypatch.delenv(lab.CHOSEN, raising=False)
    with pytest.raises(StageError) as error:
        opened.first_choice("")
    assert "\n" not in str(error.value) and "./study run params/smoke.yaml" in str(error.value)


def test_a_study_of_another_version_is_refused_by_name(project) -> None:
    old = project / "runs" / "old"
    (old / "06_ablation").mkdir(parents=True)
    write_json(old / "06_ablation" / "stage.json", {})
    (old / params.SNAPSHOT).write_text("study: old\nno_longer_a_key: 1\n", "utf-8")
    os.utime(old / "06_ablation" / "stage.json", (1, 1))
    try:
        with pytest.raises(ParamsError, match="./study clean old"):
            opened.opened("old")
    finally:
        shutil.rmtree(old)


def test_the_picker_begins_with_the_method_itself_and_shows_once_where_nobody_watches(project, capsys) -> None:
    pick, seen = Picker(), []
    pick.show()
    assert capsys.readouterr().out == "study mini, arm sft_dpo, seed 0, case a\n"
    text = pick.text(lambda now: now.said, "prescription")
    pick.live(lambda now, text: seen.append((now.arm, text)), text=text)
    assert seen == [("sft_dpo", answers.write(TEST[0].answer))]


def test_where_somebody_watches_everything_follows_the_choice_once(project, monkeypatch) -> None:
    monkeypatch.setenv(lab.SESSIONS[0], "explore.ipynb")
    monkeypatch.setattr("IPython.display.display", lambda *_: None)
    pick, seen = Picker(arm="sft"), []
    text = pick.text(lambda now: now.said, "prescription")
    pick.live(lambda now, text: seen.append((now.arm, now.seed, now.case.id, text)), text=text)
    pick._seed.value = 1
    pick._case.value = "b"
    text.value = "处方：党参9g"
    pick._arm.value = "base"
    first, second = "处方：柴胡10g", "处方：白芍12g"
    assert seen[0] == ("sft", 0, "a", first)
    assert seen[1] == ("sft", 1, "a", "处方：白芍10g") and second not in seen[1]
    assert seen[2:] == [
        ("sft", 1, "b", "处方：黄芪10g"),
        ("sft", 1, "b", "处方：党参9g"),
        ("base", 0, "b", "中医诊断：眩晕。"),
    ], "each choice is shown once, with the text that belongs to it"


def test_a_study_that_cannot_be_read_is_told_and_the_picker_goes_back(project, monkeypatch) -> None:
    monkeypatch.setenv(lab.SESSIONS[0], "explore.ipynb")
    monkeypatch.setattr("IPython.display.display", lambda *_: None)
    pick, seen = Picker(arm="sft"), []
    pick.live(lambda now: seen.append(now.study.P.study))
    pick._study.options = ["mini", "old"]

    def of_another_version(name):
        raise ParamsError("./study clean old")

    monkeypatch.setattr(
        pick, "_open", lambda name, known=pick._open: known(name) if name == "mini" else of_another_version(name)
    )
    pick._study.value = "old"
    assert pick._study.value == "mini" and "old cannot be opened: ./study clean old" in pick._note.value
    assert pick.chosen.case.id == "a" and set(seen) == {"mini"}
    pick._arm.value = "base"
    assert pick._note.value == "", "the next choice takes the note away"


def test_what_a_button_showed_goes_with_the_next_choice_and_waits_for_a_press(project, monkeypatch, capsys) -> None:
    shown = []
    monkeypatch.setenv(lab.SESSIONS[0], "explore.ipynb")
    monkeypatch.setattr("IPython.display.display", shown.append)
    pick, seen = Picker(arm="sft"), []
    pick.live(lambda now: seen.append(now.case.id), button="Ask")
    press, _ = shown[-1].children
    pick._case.value = "b"
    assert capsys.readouterr().out.endswith("Another choice: press “Ask”.\n") and seen == ["a"]
    press.click()
    assert seen == ["a", "b"]


def test_it_begins_with_the_case_that_was_answered_in_most_ways(study, monkeypatch) -> None:
    assert study.telling == "a"
    one = {"by": [["sft", 0]], "text": "x"}
    monkeypatch.setitem(study.__dict__, "answered", {"a": {"answers": [one]}, "b": {"answers": [one, one]}})
    assert study.telling == "b"


def test_a_control_that_stands_last_is_not_what_a_reader_meets_first(study, monkeypatch) -> None:
    monkeypatch.setattr(study, "P", study.P.model_copy(update={"arms": dict.fromkeys(["sft", "sft_dpo", "random"])}))
    assert study.arms == ["sft_dpo", "random", "sft"]


def test_a_picker_refuses_an_arm_that_the_study_has_not(project) -> None:
    with pytest.raises(StageError, match="did you mean 'sft'"):
        Picker(arm="sftt")


def test_answers_stand_side_by_side_gold_first_with_marks(study) -> None:
    table = views.side_by_side(study.answered["a"]["answers"], seed=0)
    gold, *others = table.columns
    assert gold.startswith("gold") and "sft_dpo" in gold, "equal answers share a column"
    assert table.loc["柴胡", gold] == "✓ 10g" and table.loc["柴胡", "sft"] == "✓ 10g"
    assert table.loc["白芍", "sft"] != table.loc["白芍", "sft"], "missing where it was not given"
    assert table.index[0] == "中医诊断" and tuple(table.index[-3:]) == views.ENDS
    assert "白芍" not in views.side_by_side(study.answered["b"]["answers"], seed=0).index


def test_many_answers_are_several_tables_each_beside_the_physicians_and_without_herbs_of_the_others() -> None:
    columns = {"gold": {"柴胡": "✓ 9g"}} | {f"arm{n}": {f"herb{n}": "+ 9g"} for n in range(7)}
    parts = views.beside_gold(pd.DataFrame(columns))
    assert [list(part.columns) for part in parts] == [
        ["gold", "arm0", "arm1", "arm2", "arm3"], ["gold", "arm4", "arm5", "arm6"],
    ]  # fmt: skip
    assert list(parts[1].index) == ["柴胡", "herb4", "herb5", "herb6"]
    alone = pd.DataFrame({"gold": {"柴胡": "✓ 9g"}})
    assert [list(part.columns) for part in views.beside_gold(alone)] == [["gold"]]


def test_another_seed_shows_its_own_answers_and_the_untrained_model_its_only_one(study) -> None:
    table = views.side_by_side(study.answered["b"]["answers"], seed=1)
    assert any("base" in names.split(", ") for names in table.columns)
    first = views.side_by_side(study.answered["a"]["answers"], seed=1)
    assert first.loc["白芍", "sft"] == "✓ 10g"


@pytest.fixture
def figures(monkeypatch):
    """Descriptions of the figures shown; nothing is drawn on a screen."""
    seen = []
    monkeypatch.setattr(views, "show_figure", lambda figure, alt: seen.append(alt))
    return seen


def test_an_incompatible_herb_that_is_typed_in_is_found_by_judge_and_audit(study, figures, monkeypatch, capsys) -> None:
    tables = []
    monkeypatch.setattr(views, "show_table", lambda table, caption: tables.append(table))
    case, judge = study.cases["a"], study.judge
    before, after = "处方：柴胡10g，白芍12g，甘草6g。", "处方：柴胡10g，白芍12g，甘草6g，甘遂2g。"
    views.prescription(chosen(study), before)
    clean = capsys.readouterr().out
    views.prescription(chosen(study), after)
    assert "3 herbs read" in clean and "herb F1 with the physician's answer 0.80" in clean
    assert "incompatibility" in set(tables[-1]["kind"])
    assert judge.criteria(case, after)["safety"] < judge.criteria(case, before)["safety"]
    assert len(figures) == 2


def test_what_is_not_read_of_a_typed_answer_is_said(study, figures, capsys) -> None:
    views.prescription(chosen(study), "处方：柴胡10g，白芍12g。另嘱其多饮温水。")
    assert "not read: 另嘱其多饮温水" in capsys.readouterr().out


def test_draws_are_ranked_by_the_judge_with_the_herb_f1_beside(study) -> None:
    good, bad = answers.write(TEST[0].answer), "处方：甘遂9g，甘草30g。"
    rows = views.rank(study.judge, study.cases["a"], [bad, good])
    assert [row["draw"] for row in rows] == [2, 1]
    assert rows[0]["herb_f1"] == 1.0 and rows[0]["score"] > rows[1]["score"]
    assert sum(rows[0]["parts"].values()) == pytest.approx(rows[0]["score"], abs=1e-5)


def test_the_beginning_of_an_answer_ends_where_the_next_herb_comes() -> None:
    said = answers.write(answer("柴胡", "白芍", "当归"))
    assert asking.begun(said, 0).endswith("处方：")
    assert asking.begun(said, 2).endswith("处方：柴胡10g，白芍10g，")
    assert asking.begun("没有方子", 3) == "没有方子"


def test_a_case_that_was_changed_has_no_gold_answer_and_an_unchanged_one_keeps_it() -> None:
    fields = {"chief_complaint": TEST[0].visit.chief_complaint, "history": ""}
    assert opened.variant(TEST[0], fields) is TEST[0]
    changed = opened.variant(TEST[0], {**fields, "history": "口苦"})
    assert changed.answer is None and changed.visit.history == "口苦" and TEST[0].answer


def test_tokens_that_matplotlib_would_read_as_mathematics_are_drawn_as_they_are() -> None:
    import pandas as pd
    from matplotlib import pyplot

    from tcm_rlaif.explore import figures

    rows = pd.DataFrame({"next": ["$\\frac$|{$", "柴胡|10g"], "probability": [0.6, 0.4]})
    figure = figures.next_tokens(rows, "…处方： ?")
    figure.canvas.draw()
    pyplot.close(figure)
