"""The judge client against a real OpenAI-compatible server on loopback, with and without faults, killed and resumed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_proxy import FAULTS, FaultyProxy, build_tiny_model, real_server
from judge_stub import openai_judge

from tcm.answers.wording import case_text
from tcm.cases import Case, Visit
from tcm_rlaif.feedback.cache import Cache
from tcm_rlaif.feedback.judges.base import Item, JudgeError
from tcm_rlaif.feedback.labelling import judge_items

CONCURRENCY = 8


def answer_text(i, j):
    head = "中医诊断：不寐。证型：肝郁脾虚。治法：疏肝健脾。方剂：逍遥散加减。"
    return f"{head}处方：柴胡{6 + i}g，当归{9 + j}g。7剂，水煎服。"


def items(n=10, candidates=3):
    found = []
    for i in range(n):
        visit = Visit(chief_complaint=f"失眠{i + 1}月，加重3天", tongue="舌淡红，苔薄白", pulse="脉弦细")
        case = Case(id=f"病例{i}", source="invented", patient_id=f"病例{i}", visit=visit)
        found.append(Item(case, tuple(answer_text(i, j) for j in range(candidates))))
    return found


def judge(url, model, **settings):
    settings = {"concurrency": CONCURRENCY, "timeout_s": 8, "max_retries": 6, "first_backoff_s": 0.05} | settings
    return openai_judge(str(model), base_url=url, **{"max_reply_tokens": 8} | settings)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-qwen")
    build_tiny_model(folder, [case_text(i.case) + t for i in items() for t in i.candidates])
    return folder


@pytest.fixture(scope="module")
def server(model):
    with real_server(model) as url:
        yield url


def test_random_model_behind_a_real_server_gives_counted_failures_and_no_scores(server, model):
    report = judge_items([judge(server, model, max_retries=1)], items(1), mode="pairwise", progress=False)
    row = report.counts[0]
    assert row["total"] == 6 and row["judged"] == 0 and sum(row.get(c, 0) for c in ("malformed", "truncated")) == 6
    assert report.verdicts[0].scores == (None, None, None)
    assert report.cost["requests"] == 12 and report.cost["tokens"] > 12 * 8


@pytest.mark.parametrize("mode", ["pairwise", "pointwise", "listwise"])
def test_with_30_percent_faults_every_question_is_judged_once_or_ends_in_a_named_category(
    server, model, mode, tmp_path
):
    n, path = {"pairwise": 7, "pointwise": 12, "listwise": 15}[mode], tmp_path / "judgements.jsonl"
    with FaultyProxy(server, fault_rate=0.3, hang_s=9) as proxy:
        report = judge_items([judge(proxy.url, model)], items(n), mode=mode, cache=path, progress=False)
    questions = report.counts[0]
    asked = {"pairwise": 6, "pointwise": 3, "listwise": 2}[mode] * n
    assert questions["total"] == asked == len(proxy.requests)
    for row in report.counts:
        named = {k: v for k, v in row.items() if k not in ("judge", "unit", "total", "from_cache")}
        assert row["total"] == sum(named.values()), row
    assert set(proxy.good.values()) == {1} and sum(proxy.good.values()) == questions["judged"]
    assert report.cost["requests"] == sum(proxy.requests.values())
    spoiled = sum(proxy.faults[f] for f in FAULTS)
    assert spoiled == sum(report.cost["faults"].values()) and spoiled > 0.15 * report.cost["requests"]
    assert questions["judged"] >= 0.95 * asked  # seven attempts at 30 % faults: 0.3 ** 7 of them fail for good
    assert Cache(path).judged() == questions["judged"]
    assert all(wait >= 0.3 for wait in proxy.waits)  # Retry-After was honoured


def test_a_question_that_never_gets_a_good_reply_ends_in_the_category_of_its_last_fault(server, model):
    with FaultyProxy(server, fault_rate=1.0, hang_s=4) as proxy:
        patient = judge(proxy.url, model, max_retries=2, timeout_s=2)  # on a busy machine the proxy hears it in time
        report = judge_items([patient], items(2), mode="pairwise", progress=False)
    row = report.counts[0]
    assert row["judged"] == 0 and row["total"] == 12 and not proxy.good
    assert sum(v for k, v in row.items() if k not in ("judge", "unit", "total", "from_cache")) == 12
    assert sum(proxy.requests.values()) == 3 * 12 == sum(report.cost["faults"].values())
    assert all(v.status not in ("judged", "partial") and v.scores == (None,) * 3 for v in report.verdicts)


def test_an_endpoint_that_refuses_optional_parameters_is_asked_without_them(server, model):
    with FaultyProxy(server, refuses=("response_format", "temperature")) as proxy:
        report = judge_items([judge(proxy.url, model)], items(2), mode="pointwise", progress=False)
    assert report.counts[0]["judged"] == 6 and sum(proxy.requests.values()) == 9
    assert report.cost["notes"] == [
        "endpoint does not take response_format json_schema, so it was asked for json_object",
        "endpoint does not take response_format json_object, so it was asked for JSON by the prompt alone",
        "endpoint does not take temperature",
    ]


def test_a_refused_key_stops_labelling_and_shows_nowhere(server, model, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("JUDGE_KEY", "sk-secret-1")
    path = tmp_path / "judgements.jsonl"
    with FaultyProxy(server, wants_key="sk-secret-2") as proxy:
        refused = judge(proxy.url, model, key_variable="JUDGE_KEY")
        with pytest.raises(JudgeError, match="JUDGE_KEY") as error:
            judge_items([refused], items(2), mode="pairwise", cache=path, progress=False)
        monkeypatch.setenv("JUDGE_KEY", "sk-secret-2")
        with caplog.at_level("DEBUG", "tcm_rlaif"):
            report = judge_items([refused], items(1), mode="pairwise", cache=path, progress=False)
    assert report.counts[0]["judged"] == 6
    shown = str(error.value) + repr(vars(refused)) + path.read_text("utf-8") + caplog.text + str(report)
    assert "sk-secret" not in shown


def test_a_budget_of_requests_is_never_overrun_and_holds_over_two_runs(server, model, tmp_path):
    path = tmp_path / "judgements.jsonl"
    with FaultyProxy(server, fault_rate=0.3, hang_s=9) as proxy:
        for _ in range(2):
            limited = judge(proxy.url, model, max_requests=20)
            report = judge_items([limited], items(5), mode="pairwise", cache=path, progress=False)
    row = report.counts[0]
    assert sum(proxy.requests.values()) == 20 and row["budget"] > 0
    assert row["judged"] == sum(proxy.good.values()) and row["judged"] + row["budget"] == row["total"] == 30


KILLED = """
import sys
from pathlib import Path
sys.path += sys.argv[4:]
from test_judge_server import items, judge
from tcm_rlaif.feedback.labelling import judge_items
judge_items([judge(sys.argv[1], sys.argv[2])], items(8), mode="pairwise", cache=Path(sys.argv[3]), progress=False)
"""


def test_kill_9_half_way_loses_at_most_the_requests_in_flight(server, model, tmp_path):
    path = tmp_path / "judgements.jsonl"
    with FaultyProxy(server, fault_rate=0.1, hang_s=9) as proxy:
        command = [sys.executable, "-c", KILLED, proxy.url, str(model), str(path), *sys.path]
        process = subprocess.Popen(command, cwd=Path(__file__).parent)
        deadline = time.monotonic() + 240
        while sum(proxy.good.values()) < 24 and time.monotonic() < deadline:
            assert process.poll() is None, "labelling ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        sent = sum(proxy.good.values())
        kept = Cache(path).judged()
        assert sent - CONCURRENCY <= kept < 48
        report = judge_items([judge(proxy.url, model)], items(8), mode="pairwise", cache=path, progress=False)
    twice = [key for key, n in proxy.good.items() if n > 1]
    assert report.counts[0]["total"] == 48 and report.counts[0]["judged"] >= 47
    assert report.counts[0]["from_cache"] == kept
    assert len(twice) <= CONCURRENCY and max(proxy.good.values()) <= 2
    offline = judge_items([judge("http://127.0.0.1:9", model, replay_only=True)], items(8), mode="pairwise",
                          cache=Cache(path), progress=False)  # fmt: skip
    assert [v.scores for v in offline.verdicts] == [v.scores for v in report.verdicts]
