"""A prompt poses the case and never its answer; a completion is the written answer; the tiny base saw neither."""

from itertools import islice

import written_study

from tcm import answers
from tcm.invented import corpus
from tcm_rlaif.models import prompts

ANSWER = written_study.answer("柴胡", "龙骨")
FIRST, AGAIN = (written_study.case("1", ANSWER, previous=before) for before in (None, ANSWER))


def test_the_prompt_never_holds_the_gold_answer() -> None:
    text = prompts.prompt(FIRST)[1]["content"]
    assert not any(word in text for word in ("肝郁脾虚", "逍遥散", "柴胡", "疏肝健脾"))


def test_the_prompt_does_not_change_with_the_gold_answer() -> None:
    assert prompts.prompt(AGAIN) == prompts.prompt(AGAIN.model_copy(update={"answer": None}))


def test_a_prompt_is_a_system_and_a_user_message_that_asks_for_the_task() -> None:
    for case, ask in ((FIRST, "请诊治。"), (AGAIN, prompts.ASK["follow_up_visit"])):
        system, user = prompts.prompt(case)
        assert (system["role"], system["content"], user["role"]) == ("system", prompts.SYSTEM, "user")
        assert user["content"].endswith(f"\n{ask}")


def test_the_system_prompt_names_the_labels_that_the_parser_reads_in_order() -> None:
    labels = [answers.LABELS[field].split()[0] for field in answers.REQUIRED]
    places = [prompts.SYSTEM.index(f"{label}：") for label in labels]
    assert places == sorted(places)


def test_a_completion_is_the_written_answer_as_the_assistants_message() -> None:
    assert prompts.completion(ANSWER) == [{"role": "assistant", "content": answers.write(ANSWER)}]


def test_a_completion_of_a_text_is_that_text() -> None:
    assert prompts.completion("不知道") == [{"role": "assistant", "content": "不知道"}]


def test_the_completion_of_a_case_keeps_the_layout() -> None:
    assert answers.format_valid(prompts.completion(ANSWER)[0]["content"])


def test_the_fixed_wording_holds_what_every_prompt_says() -> None:
    for word in (prompts.SYSTEM, *prompts.ASK.values(), "主诉", "现病史", "中医诊断", "证型", "处方", "水煎服"):
        assert word in prompts.FIXED_WORDING
    assert len(set(prompts.FIXED_WORDING)) == len(prompts.FIXED_WORDING)


def test_no_statement_of_the_corpus_poses_a_case_as_the_study_does() -> None:
    statements = list(islice(corpus.statements(0, 48), 6000))
    assert [s for s in statements if prompts.SYSTEM in s or any(ask in s for ask in prompts.ASK.values())] == []
    assert [s for s in statements if "患者：" in s or "第1诊" in s] == []
