"""`predict` reads cases in every form that it names, answers them as the arm does, and audits what it answered."""

import io
import json

import pytest
import tiny_model
import trained_study

from tcm.cases import CaseError
from tcm_rlaif.evaluation import choice
from tcm_rlaif.models.sampling import Sample, sample
from tcm_rlaif.runner import cli, predict, trained

FLAT = {"sex": "女", "age": 52, "chief_complaint": "头晕2年", "history": "遇怒加重，耳鸣", "pulse": "弦"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    with trained_study.opened(tmp_path_factory.mktemp("project"), eval_max_new_tokens=24) as P:
        yield P


def text(value) -> str:
    return json.dumps(value, ensure_ascii=False)


# reading


def test_findings_may_stand_flat_or_as_a_case_is_kept() -> None:
    (flat,) = predict.read_cases(text(FLAT), "x")
    kept = tiny_model.cases()[0]
    (whole,) = predict.read_cases(kept.model_dump_json(exclude_defaults=True), "x")
    assert (flat.patient.age, flat.visit.chief_complaint, flat.id) == (52, "头晕2年", "1")
    assert whole == kept.model_copy(update={"answer": None}), "the physician's answer is not for the model"


def test_one_object_a_list_and_lines_are_read_alike() -> None:
    rows = [FLAT, {**FLAT, "id": "other", "age": 60}]
    by_list = predict.read_cases(json.dumps(rows, ensure_ascii=False, indent=2), "x")
    assert by_list == predict.read_cases("\n".join(map(text, rows)) + "\n\n", "x")
    assert [case.id for case in by_list] == ["1", "other"]
    assert len(predict.read_cases(json.dumps(FLAT, indent=2), "x")) == 1


def test_a_follow_up_gives_its_last_prescription_as_text() -> None:
    earlier = [{"chief_complaint": "头晕2年", "answer": "天麻12g，钩藤15g，石决明30g。7剂，水煎服。"}]
    (case,) = predict.read_cases(text({**FLAT, "earlier_visits": earlier}), "x")
    assert case.task == "follow_up_visit"
    assert [(i.herb, i.dose) for i in case.previous_answer.prescription] == [("天麻", 12), ("钩藤", 15), ("石决明", 30)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "no case in it"),
        ("{", "no JSON"),
        ("17", "a JSON int; give an object"),
        (text({"cheif_complaint": "头晕"}), "cheif_complaint: no such field; did you mean 'chief_complaint'?"),
        (text({"sex": "女"}), "nothing to answer"),
        (text({**FLAT, "age": 200}), "age: Input should be less than or equal to 120"),
        (text({**FLAT, "visit": "头晕"}), "patient, visit: give objects"),
        (text([{**FLAT, "id": "a"}, {**FLAT, "id": "a"}]), "case 2: id: 'a' stands already"),
        (f"{text(FLAT)}\n{{\"age\": }}", "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_named_with_its_place_and_fix(given: str, words: str) -> None:
    with pytest.raises(CaseError) as refused:
        predict.read_cases(given, "my.json")
    assert str(refused.value).startswith("my.json") and words in str(refused.value)


# answering


def test_cases_from_a_file_and_from_standard_input_are_answered_a_line_each(
    study, capsys, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(text, [FLAT, {**FLAT, "id": "b", "chief_complaint": "失眠"}])), "utf-8")
    assert cli.main(["predict", trained_study.NAME, "sft", str(path)]) == 0
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["id"] for row in rows] == ["1", "b"] and "Research only" in said.err
    assert all(
        row["notice"] == predict.NOTICE and {"answer", "safety", "review", "unread"} <= row.keys() for row in rows
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(text(FLAT)))
    assert cli.main(["predict", trained_study.NAME, "sft", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == rows[0]["text"]


def test_the_answer_is_the_one_that_the_arm_gives_to_a_test_case(study) -> None:
    found = trained.find(trained_study.NAME, "sft_dpo")
    model, tokenizer = found.load()
    case = tiny_model.cases()[10]
    how = {"number": 1, "temperature": 0.0, "max_new_tokens": 24, "batch_size": 1, "seed": 0}
    (expected,) = sample(model, tokenizer, [case], **how)
    (row,) = predict.answer(found, [case])
    assert (row["text"], row["finished"]) == (expected.text, expected.finished)


def test_a_prescription_is_read_and_audited_for_this_patient() -> None:
    (case,) = predict.read_cases(text({**FLAT, "age": 30, "pregnant": True, "history": "对阿胶过敏"}), "x")
    said = "中医诊断：眩晕。证型：肝阳上亢。治法：平肝潜阳。方剂：天麻钩藤饮。"
    said += "处方：天麻12g，附子60g，半夏9g，阿胶10g。7剂，水煎服。"
    row = predict.judged(case, said, True)
    assert row["answer"]["disease"] == "眩晕" and len(row["answer"]["prescription"]) == 4
    kinds = {finding["kind"] for finding in row["safety"]}
    assert {"incompatibility", "overdose", "pregnancy"} <= kinds
    assert any("阿胶" in finding["herbs"] for finding in row["review"])


def test_what_is_no_herb_for_a_child_is_asked_about() -> None:
    said = "处方：麻黄6g，杏仁9g，甘草3g。3剂，水煎服。"
    kinds = {}
    for age in (3, 30):
        (case,) = predict.read_cases(text({**FLAT, "age": age}), "x")
        kinds[age] = {finding["kind"] for finding in predict.judged(case, said, True)["review"]}
    assert "child" in kinds[3] and "child" not in kinds[30]


def test_persons_are_masked_whatever_the_arm_was_trained_on(study, monkeypatch) -> None:
    found, asked = trained.find(trained_study.NAME, "sft"), []

    def keep(model, tokenizer, cases, *how):
        asked.extend(cases)
        return [Sample(case.id, 0, "处方：柴胡10g。", True, ()) for case in cases], {}

    monkeypatch.setattr(choice, "answers", keep)
    assert found.P.data_source == "invented"
    predict.answer(found, predict.read_cases(text({**FLAT, "history": "遇怒加重，电话13812345678"}), "x"))
    assert "13812345678" not in asked[0].visit.history and "遇怒加重" in asked[0].visit.history


def test_a_missing_file_is_one_line(study, capsys) -> None:
    assert cli.main(["predict", trained_study.NAME, "sft", "nowhere.json"]) == 2
    assert "nowhere.json: no such file" in capsys.readouterr().err
