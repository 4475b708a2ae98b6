"""What a judge's reply counts as: one table of replies with the one valid verdict or the failure each of them holds."""

import json
from types import SimpleNamespace

import pytest

from tcm.cases import Case, Visit
from tcm_rlaif.feedback.judges import replies
from tcm_rlaif.feedback.judges.base import FAILURES, Question
from tcm_rlaif.feedback.judges.prompt_text import CRITERIA
from tcm_rlaif.feedback.judges.replies import BadReply, completion_text, read_reply, response_format

CASE = Case(id="病例1", source="invented", patient_id="甲", visit=Visit(chief_complaint="头痛2月", pulse="脉弦"))
QUESTIONS = {
    "pointwise": Question("pointwise", CASE, ("甲",)),
    "pairwise": Question("pairwise", CASE, ("甲", "乙")),
    "listwise": Question("listwise", CASE, ("甲", "乙", "丙")),
}
A = '{"reason": "甲辨证准", "better": "A"}'
B = '{"reason": "乙更稳妥", "better": "B"}'
FENCE = "```"


def points(value=7, **more):
    return json.dumps({"reason": "尚可"} | dict.fromkeys(CRITERIA, value) | more, ensure_ascii=False)


def ranking(value):
    return json.dumps({"reason": "依次", "ranking": value}, ensure_ascii=False)


def better(value):
    return json.dumps({"reason": "两份相近", "better": value}, ensure_ascii=False)


def message(content, finish="stop", **more):
    """A response object as the client makes it, which does not check what a server sends."""
    return SimpleNamespace(
        choices=[SimpleNamespace(finish_reason=finish, message=SimpleNamespace(content=content, **more))]
    )


ROWS = [
    # plain, and with text around it
    ("pairwise", A, "judged", (1.0,)),
    ("pairwise", f"评审如下：\n{B}\n以上。", "judged", (0.0,)),
    ("pairwise", f"{FENCE}json\n{A}\n{FENCE}", "judged", (1.0,)),
    ("pairwise", f"{FENCE}\n{B}\n{FENCE}\n说明：乙方剂量合理。", "judged", (0.0,)),
    ("pairwise", '{"reason": "第一行\n第二行", "better": "A"}', "judged", (1.0,)),
    ("pointwise", points(), "judged", (0.7,)),
    ("listwise", ranking(["C", "A", "B"]), "judged", (0.5, 0.0, 1.0)),
    # thoughts
    ("pairwise", f"<think>先看甲 {A} 再想想</think>{B}", "judged", (0.0,)),
    ("pairwise", f"<THINKING lang='zh'>{A}</THINKING>\n{B}", "judged", (0.0,)),
    ("pairwise", f"<reasoning>{A}</reasoning>{B}", "judged", (0.0,)),
    ("pairwise", f"<seed:think>{A}</seed:think>{B}", "judged", (0.0,)),
    ("pairwise", f"[THINK]{A}[/THINK]{B}", "judged", (0.0,)),
    # … in every spelling that answers are read with
    ("pairwise", f"<|begin_of_thought|>{A}<|end_of_thought|>{B}", "judged", (0.0,)),
    ("pairwise", f"＜思考＞{A}＜/思考＞{B}", "judged", (0.0,)),
    ("pairwise", f"&lt;scratchpad&gt;{A}&lt;/scratchpad&gt;{B}", "judged", (0.0,)),
    ("pairwise", f"◁think▷{A}◁/think▷{B}", "judged", (0.0,)),
    ("pairwise", f"<|channel|>analysis<|message|>{A}<|end|><|start|>assistant<|channel|>final<|message|>{B}",
     "judged", (0.0,)),
    ("pairwise", f"先看甲 {A}\n</think>\n{B}", "judged", (0.0,)),
    ("pairwise", f"<think>一<think>二</think>{A}</think>{B}", "judged", (0.0,)),
    ("pairwise", "<think>{甲?} {</think>" + A, "judged", (1.0,)),
    ("pairwise", f"<think>也许是 {A}", "malformed", ()),
    ("pairwise", f"{A}\n<think>不对，再看", "malformed", ()),
    ("pairwise", f"<think>{A}</think>", "malformed", ()),
    ("pairwise", f"<think>抱歉，先想想</think>{A}", "judged", (1.0,)),
    ("pairwise", '{"reason": "甲里写着</think>和<think>", "better": "B"}', "judged", (0.0,)),
    # several objects
    ("pairwise", '{"步骤": 1, "说明": "先辨病"}' + B, "judged", (0.0,)),
    ("pairwise", B + '{"confidence": 0.9}', "judged", (0.0,)),
    ("pairwise", '{"better": "A"}' + B, "judged", (0.0,)),
    ("pairwise", better("丙") + B, "judged", (0.0,)),
    ("pairwise", f"草稿：{A}\n定稿：{A}", "judged", (1.0,)),
    ("pairwise", f"草稿：{A}\n定稿：{B}", "ambiguous", ()),
    ("pairwise", f"[{A}, {B}]", "ambiguous", ()),
    ("pairwise", f'{{"first": {A}, "second": {B}}}', "ambiguous", ()),
    ("pairwise", '{"reason": "", "better": "A", "better": "B"}', "ambiguous", ()),
    ("pairwise", '{"reason": "", "better": "A", "Better": "B"}', "ambiguous", ()),
    ("pairwise", A + '更正：{"reason": "乙更好", "better": "B', "ambiguous", ()),
    ("pointwise", points(7) + points(7, safety=6), "ambiguous", ()),
    ("pointwise", points(7, safety=6, doses=8) + points(7, safety=8, doses=6), "ambiguous", ()),
    ("pairwise", A + better("a"), "judged", (1.0,)),
    ("listwise", ranking(["C", "A", "B"]) + ranking(["A", "C", "B"]), "ambiguous", ()),
    # wrapped once
    ("pairwise", f'{{"result": {A}}}', "judged", (1.0,)),
    ("pairwise", f"[{B}]", "judged", (0.0,)),
    ("pairwise", f'{{"results": [{B}], "n": 1}}', "judged", (0.0,)),
    ("pointwise", json.dumps({"reason": "尚可", "scores": dict.fromkeys(CRITERIA, 6)}), "judged", (0.6,)),
    ("pairwise", f'{{"a": {{"b": {A}}}}}', "wrong_schema", ()),
    # letters, numbers, keys
    *(("pairwise", better(value), "judged", (1.0,)) for value in ("a", " A ", "Ａ", "ａ", "答案A", "Answer a")),
    *(("pairwise", better(value), "judged", (0.5,)) for value in ("tie", "Tie", "TIE", "ＴＩＥ", "平", "平局", "draw")),
    ("pairwise", '{"Reason": "甲准", "BETTER": "b"}', "judged", (0.0,)),
    ("pairwise", '{"reason": "甲准", "better": "B", "score": 3, "details": {"better": "A"}}', "judged", (0.0,)),
    *(("pointwise", points(value), "judged", (0.8,)) for value in ("8", "８", 8.0, "8.0", " 8 ", "8分", "8/10")),
    ("pointwise", points(7, overall=70, comment="可"), "judged", (0.7,)),
    ("pointwise", points("10"), "judged", (1.0,)),
    ("listwise", ranking(["c", "Ａ", "答案B"]), "judged", (0.5, 0.0, 1.0)),
    ("listwise", ranking("C > A > B"), "judged", (0.5, 0.0, 1.0)),
    ("listwise", ranking("ｃ、ａ，ｂ"), "judged", (0.5, 0.0, 1.0)),
    # what stays a failure
    ("pairwise", "", "malformed", ()),
    ("pairwise", '{"reason": "前者', "malformed", ()),
    ("pairwise", '{"reason": "前者", "better": "A"', "malformed", ()),
    ("pairwise", '{"reason": "理由", "better": "A" 或 "B" 或 "tie"}', "malformed", ()),
    ("pairwise", "抱歉，我无法评价医疗内容。", "refused", ()),
    ("pairwise", "<think>看看</think>I'm sorry, I cannot judge this.", "refused", ()),
    ("pairwise", '{"better": "A"}', "wrong_schema", ()),
    ("pairwise", '{"verdict": "好"}', "wrong_schema", ()),
    ("pairwise", '{"reason": 5, "better": "A"}', "wrong_schema", ()),
    *(("pairwise", better(value), "out_of_range", ()) for value in ("C", "A或B", "AB", "", 1)),
    *(("pointwise", points(value), "out_of_range", ()) for value in (11, -1, "11", "-1", "１１", 10**30)),
    *(("pointwise", points(value), "wrong_schema", ()) for value in (True, 7.5, "7.5", "八九", "", None, [8])),
    ("pointwise", points(float("nan")), "wrong_schema", ()),
    ("pairwise", better("A")[:-1] + ', "n": ' + "9" * 5_000 + "}", "judged", (1.0,)),
    ("pointwise", points(7)[:-1] + ', "doses": ' + "9" * 5_000 + "}", "ambiguous", ()),
    ("pointwise", points(7).replace("7", "9" * 5_000), "wrong_schema", ()),
    *(("listwise", ranking(value), "out_of_range", ()) for value in (["A", "A", "B"], ["A", "B"], ["A", "B", "tie"])),
    ("listwise", ranking("CAB"), "out_of_range", ()),
    # braces without end
    *(("pairwise", text * 1_500, "malformed", ()) for text in ("{", '{"a":', '{"better":', "[", "{[")),
    *(("pairwise", text * 200_000, "malformed", ()) for text in ("{", '{"a":', '{"better":', "[", "{[")),
    *(("pairwise", '{"a":' * n + A + "}" * n, "malformed", ()) for n in (1_500, 200_000)),
    ("pairwise", '{"b": 1, "a": ' * 5_000 + A + "}" * 5_000, "malformed", ()),
    ("pairwise", ('{"a": ' * 40 + "x ") * 5_000, "malformed", ()),
    ("pairwise", '{"a' * 66_000, "malformed", ()),
    ("pairwise", "<think>" * 30_000 + A, "malformed", ()),
    ("pairwise", "{}" * 100_000 + A, "judged", (1.0,)),
    ("pairwise", "9" * 200_000 + A, "judged", (1.0,)),
    # response objects
    ("pairwise", message([{"type": "text", "text": A}]), "judged", (1.0,)),
    ("pairwise", message([{"type": "text", "text": A[:9]}, {"type": "output_text", "text": A[9:]}]), "judged", (1.0,)),
    ("pairwise", message([{"type": "thinking", "thinking": A}, {"type": "text", "text": B}]), "judged", (0.0,)),
    ("pairwise", message([{"type": "reasoning", "text": A}, {"type": "text", "text": B}]), "judged", (0.0,)),
    ("pairwise", message(["", A]), "judged", (1.0,)),
    ("pairwise", message([{"type": "refusal", "refusal": "不便评价"}]), "refused", ()),
    ("pairwise", message([{"type": "image_url"}, None, 3]), "malformed", ()),
    ("pairwise", message(None), "malformed", ()),
    ("pairwise", message({"better": "A"}), "malformed", ()),
    ("pairwise", message("", refusal="不便评价"), "refused", ()),
    ("pairwise", message(A, finish="content_filter"), "refused", ()),
    ("pairwise", message(A, finish="length"), "truncated", ()),
    *(("pairwise", SimpleNamespace(choices=choices), "malformed", ()) for choices in (None, [], {}, [None], "A", 3)),
    ("pairwise", "<html>504</html>", "malformed", ()),
]  # fmt: skip


def read(mode, reply):
    """Status and values of a reply: its text, or the response object that holds it."""
    try:
        text = reply if isinstance(reply, str) else completion_text(reply)
        return "judged", read_reply(text, QUESTIONS[mode])[0]
    except BadReply as bad:
        return bad.category, ()


def short(value):
    return str(value)[:60].encode("unicode_escape").decode() if isinstance(value, str) else None


@pytest.mark.parametrize(("mode", "reply", "status", "values"), ROWS, ids=short)
def test_a_reply_is_its_one_valid_verdict_or_a_named_failure(mode, reply, status, values):
    assert read(mode, reply) == (status, pytest.approx(values))


def test_each_failure_of_a_reply_is_a_counted_category_and_in_the_table():
    of_replies = {"malformed", "wrong_schema", "out_of_range", "ambiguous", "refused", "truncated"}
    assert {row[2] for row in ROWS} - {"judged"} == of_replies <= set(FAILURES)


def test_the_reason_and_the_criteria_are_those_of_the_last_valid_verdict():
    values, criteria, reason = read_reply(
        points(7, reason="初看") + points("7", reason="细看", safety=7), QUESTIONS["pointwise"]
    )
    assert criteria == dict.fromkeys(CRITERIA, 0.7) and reason == "细看"


@pytest.mark.parametrize("text", ["{" * 200_000, '{"a' * 66_000, ('{"a": ' * 40 + "x ") * 5_000, '{"a":' * 40_000])
def test_broken_json_of_any_length_is_given_up_after_a_bounded_number_of_characters(text, monkeypatch):
    looked_at, decoder = [], replies._DECODER

    def raw_decode(text, at):
        try:
            return decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            looked_at.append(error.pos)  # an error counts the lines before it
            raise

    monkeypatch.setattr(replies, "_DECODER", SimpleNamespace(raw_decode=raw_decode))
    assert read("pairwise", text) == ("malformed", ())
    assert sum(looked_at) <= replies.MOST_WASTED + len(text)


def test_what_is_read_leniently_is_asked_for_strictly():
    schema = response_format(QUESTIONS["pairwise"])["json_schema"]["schema"]
    assert schema["properties"]["better"]["enum"] == ["A", "B", "tie"] and schema["additionalProperties"] is False
    scores = response_format(QUESTIONS["pointwise"])["json_schema"]["schema"]["properties"]
    assert scores["safety"] == {"maximum": 10, "minimum": 0, "title": "Safety", "type": "integer"}
