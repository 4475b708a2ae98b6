"""The endpoint judge and errors: hopeless ones end labelling at once, formats fall back once, no secret is shown."""

import json
import threading
from types import SimpleNamespace

import pytest
from judge_stub import GOOD, chat, openai_judge, refusal, stub

from tcm.cases import Case, Visit
from tcm_rlaif.feedback.judges.base import Item, JudgeError
from tcm_rlaif.feedback.judges.endpoint import scrubbed, words
from tcm_rlaif.feedback.labelling import judge_items

KEY = "sk-not-a-real-key-0123456789"


def items(n=6):
    visit = Visit(chief_complaint="胃脘隐痛半年", pulse="脉细")
    return [
        Item(Case(id=f"例{i}", source="invented", patient_id=f"例{i}", visit=visit), ("甲", "乙")) for i in range(n)
    ]


def label(url, n=6, cache=None, **settings):
    judge = openai_judge(base_url=url, **{"max_retries": 2, "first_backoff_s": 0.01} | settings)
    return judge_items([judge], items(n), mode="pairwise", cache=cache, progress=False)


HOPELESS = [
    (
        refusal(429, "You exceeded your current quota.", type="insufficient_quota", code="insufficient_quota"),
        "top it up",
    ),
    (refusal(429, "Your account is suspended", type="exceeded_current_quota_error"), "top it up"),
    (refusal(429, "您的账户已欠费，请充值后重试", code="1113"), "top it up"),
    (refusal(402, "Insufficient Balance"), "top it up"),
    (refusal(403, "Sorry, your account balance is insufficient"), "top it up"),
    (refusal(400, "Access denied", code="Arrearage"), "top it up"),
    (refusal(401, "Incorrect API key provided"), "JUDGE_KEY"),
    (refusal(403, "this key may not use the model"), "JUDGE_KEY"),
    ((400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}]), "JUDGE_KEY"),
    (refusal(404, "The model `m` does not exist", code="model_not_found"), "judge_model 'm'"),
    ((404, b"<html>no such page</html>"), "judge_base_url"),
    (refusal(400, "Model Not Exist"), "judge_model 'm'"),
]


@pytest.mark.parametrize(("reply", "advice"), HOPELESS)
def test_what_no_later_request_could_escape_ends_labelling_after_one_request(reply, advice, monkeypatch, tmp_path):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with stub(lambda body, number: reply) as (host, requests), pytest.raises(JudgeError) as error:
        label(f"http://{host}/v1", key_variable="JUDGE_KEY", cache=tmp_path / "j.jsonl")
    assert len(requests) == 1 and advice in str(error.value) and KEY not in str(error.value)
    assert "\n" not in str(error.value) and not (tmp_path / "j.jsonl").exists()


def test_an_account_that_runs_dry_on_the_way_stops_labelling_and_what_was_judged_is_kept(tmp_path):
    dry = refusal(429, "quota", code="insufficient_quota")
    running_dry = stub(lambda body, number: chat() if number <= 5 else dry)
    with running_dry as (host, requests), pytest.raises(JudgeError, match="no credit"):
        label(f"http://{host}/v1", concurrency=2, cache=tmp_path / "j.jsonl")
    kept = (tmp_path / "j.jsonl").read_text("utf-8").splitlines()
    assert len(requests) <= 7 and 4 <= len(kept) <= 5  # one reply may have been under way beside the refusal


PASSING = [
    refusal(429, "Rate limit reached, add a payment method at https://example.org/billing"),
    refusal(500, "model not found in this replica, insufficient balance of load"),
]


@pytest.mark.parametrize("reply", PASSING)
def test_a_passing_limit_or_fault_is_no_reason_to_stop(reply):
    with stub(lambda body, number: reply if number == 1 else chat()) as (host, requests):
        report = label(f"http://{host}/v1", n=1)
    assert report.counts[0]["judged"] == 2 and len(requests) == 3


def format_of(body):
    return body.get("response_format", {}).get("type", "")


REFUSALS = [
    refusal(400, "This response_format type is unavailable now"),
    refusal(400, "invalid request", param="response_format"),
    refusal(400, "json_schema is not supported by this model"),
    refusal(404, "No endpoints found that support response_format"),
    refusal(500, "guided decoding is not compiled in: response_format"),
    (422, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "unexpected value", "input": "x"}]}),
]


@pytest.mark.parametrize("refused", REFUSALS)
@pytest.mark.parametrize("takes", ["json_object", ""])
def test_a_format_that_is_not_taken_is_given_up_once_for_the_endpoint_and_said(refused, takes):
    with stub(lambda body, number: chat() if format_of(body) == takes else refused) as (host, requests):
        report = label(f"http://{host}/v1", concurrency=4)
    asked = [format_of(body) for body in requests]
    learning = ["json_schema"] if takes else ["json_schema", "json_object"]
    assert asked == learning + [takes] * 12 and report.counts[0]["judged"] == 12
    assert report.cost["faults"] == {} and report.cost["requests"] == len(requests)
    notes = report.cost["notes"]
    assert len(notes) == len(learning) and all(name in note for name, note in zip(learning, notes, strict=True))
    assert (takes or "prompt alone") in notes[-1]


def test_requests_in_flight_with_a_refused_format_are_asked_again_and_are_no_failures():
    first, refused = refusal(400, "this question alone"), refusal(400, "response_format: unknown")
    barrier = threading.Barrier(4)

    def answer(body, number):
        if number == 1:
            return first  # nothing is learned from the first question, so four workers meet the refusal together
        if format_of(body) == "json_schema":
            barrier.wait(10)
            return refused
        return chat()

    with stub(answer) as (host, requests):
        report = label(f"http://{host}/v1", concurrency=4)
    row = report.counts[0]
    assert (row["judged"], row["rejected"], report.cost["faults"]) == (11, 1, {"rejected": 1})
    assert len(report.cost["notes"]) == 1 and len(requests) == 1 + 4 + 11


NO_COMPLETIONS = [
    *(b"null", b"[]", b"3", b'"text"', b"{}", b"<html>"),
    *(b'{"choices": "abc"}', b'{"choices": [null]}', b'{"choices": [{"message": 5}]}'),
    b'{"choices": [{"message": {"content": {"better": "A"}}}]}',
    *(b'{"choices": ' * 1_500, b'{"choices": [' * 200_000, b'{"choices":' * 1_500 + b"1" + b"}" * 1_500),
]


@pytest.mark.parametrize("body", NO_COMPLETIONS, ids=lambda body: body[:20].decode())
def test_a_response_that_is_no_completion_is_a_category(body):
    with stub(lambda _, number: (200, body)) as (host, _):
        report = label(f"http://{host}/v1", n=1, max_retries=0)
    assert report.counts[0]["malformed"] == 2


def test_a_prompt_that_is_too_long_is_rejected_and_changes_nothing_for_the_other_questions():
    too_long = refusal(400, "'max_tokens' or 'max_completion_tokens' is too large: the context length is 2048")
    with stub(lambda body, number: too_long if number == 1 else chat()) as (host, requests):
        report = label(f"http://{host}/v1", n=1)
    assert (report.counts[0]["rejected"], report.counts[0]["judged"], len(requests)) == (1, 1, 2)
    assert report.cost["notes"] == [] and requests[1]["max_tokens"] == 1024


def test_content_in_parts_and_odd_usage_are_read_and_a_cut_character_is_stored(tmp_path):
    def answer(body, number):
        status, reply = chat(
            [{"type": "thinking", "thinking": "也许 A"}, {"type": "text", "text": GOOD.replace("甲", "\\ud83d")}]
        )
        return status, reply | {"usage": {"total_tokens": "many"}}

    with stub(answer) as (host, _):
        report = label(f"http://{host}/v1", n=1, cache=tmp_path / "j.jsonl")
    assert report.counts[0]["judged"] == 2 and "更稳妥" in (tmp_path / "j.jsonl").read_text("utf-8")


SECRETS = {"user": "zhang", "password": "p@ss", "query": "q-k3y"}


@pytest.mark.parametrize("status", [200, 400, 404, 429, 403, 500])
def test_no_part_of_the_address_that_is_secret_shows_in_note_log_or_error(status, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    echo = f"zhang:p@ss 密码p@ss错误 p%40ss api-key=q-k3y {KEY} {'长' * 280}{KEY}"

    def answer(body, number):
        return chat(json.dumps({"reason": echo, "better": "A"})) if status == 200 else refusal(status, echo)

    with caplog.at_level("DEBUG"), stub(answer) as (host, requests):
        url = f"http://zhang:p%40ss@{host}/v1?api-key=q-k3y&version=2"
        try:
            said = str(label(url, n=1, max_retries=0, key_variable="JUDGE_KEY", cache=tmp_path / "j.jsonl"))
        except JudgeError as error:
            said = str(error)
            assert host in said
    stored = (tmp_path / "j.jsonl").read_text("utf-8") if status not in (403, 404) else ""
    shows = said + stored + caplog.text
    assert "***" in said and not [s for s in (KEY[:12], "zhang", "p@ss", "p%40ss", "q-k3y") if s in shows]
    assert requests[0]["path"] == "/v1/chat/completions?api-key=q-k3y&version=2"
    assert requests[0]["authorization"].startswith("Basic ")


def test_an_address_that_is_none_is_an_error_that_does_not_repeat_it():
    for url in ("http://zhang:p/ss@127.0.0.1/v1", "http://[::1/v1?key=hush", "http://zhang:hush@host:port/v1"):
        with pytest.raises(JudgeError, match="judge_base_url") as error:
            label(url, n=1)
        assert not [s for s in ("zhang", "p/ss", "hush") if s in str(error.value)]


def test_a_short_key_value_leaves_the_error_readable(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "e")
    with stub(lambda body, number: refusal(400, "the prompt exceeds the context")) as (host, _):
        report = label(f"http://{host}/v1", n=1, key_variable="JUDGE_KEY")
    assert {r.note for r in report.runs["openai"].replies.values()} == {"400: the prompt exceeds the context"}


def test_a_key_with_characters_that_no_header_takes_is_named_and_not_shown(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-密钥")
    with pytest.raises(JudgeError, match="JUDGE_KEY") as error:
        label("http://127.0.0.1:9/v1", n=1, key_variable="JUDGE_KEY")
    assert "密钥" not in str(error.value)


def test_secrets_go_before_the_text_is_cut_and_words_stay():
    assert scrubbed(f"a {KEY} b", KEY, "") == "a *** b" and scrubbed("none of it", "none", "") == "none of it"
    assert scrubbed("at attack", "", "http://at:x@host/v1") == "*** attack"


def test_what_a_server_says_is_read_from_whatever_it_sends():
    def error(body):
        return SimpleNamespace(body=body, message="Error code: 400", response=SimpleNamespace(text=" raw "))

    detail = [{"loc": ["body", "top_k"], "msg": "extra", "input": {"messages": "long"}}]
    assert words(error({"detail": detail})) == "['body', 'top_k']: extra"
    assert (
        words(error({"code": 7, "message": "busy"})) == "7 busy"
        and words(error([{"error": {"message": "no"}}])) == "no"
    )
    assert (
        words(error({"odd": 1})) == "raw"
        and words(error("plain")) == "plain"
        and words(error(None)) == "Error code: 400"
    )
