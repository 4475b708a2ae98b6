"""Wall time of labelling through the judge client against a plain sequential loop over the same server.

    python tests/benchmarks/bench_labelling.py

The server is `transformers serve` with a tiny model on this machine's CPU, behind our proxy (see `faulty_proxy`), in
three settings: as it is, one reply at a time, which shows what concurrency cannot give, more compute; with continuous
batching, as any server made for load works; and with a delay added to each reply, as a hosted model has.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tcm_rlaif" / "feedback"))

from faulty_proxy import FaultyProxy, build_tiny_model, real_server
from test_judge_server import items, judge

from tcm.answers.wording import case_text
from tcm_rlaif.feedback.judges import prompt_text
from tcm_rlaif.feedback.judges.base import questions_of
from tcm_rlaif.feedback.judges.replies import read_reply
from tcm_rlaif.feedback.labelling import judge_items

REPLY_TOKENS = 96  # about what a reason and a verdict take
BATCHING = "--continuous-batching --cb-num-blocks 1024 --cb-block-size 32 --cb-max-batch-tokens 4096".split()


def sequential(url: str, model: Path, work: list) -> float:
    """Seconds of a for-loop over the official client."""
    from openai import OpenAI

    client, started = OpenAI(api_key="none", base_url=url), time.perf_counter()
    for question in (q for item in work for q in questions_of(item, "pairwise")):
        reply = client.chat.completions.create(
            model=str(model),
            messages=prompt_text.messages(question),
            max_tokens=REPLY_TOKENS,
            temperature=0,
        )
        read_reply(reply.choices[0].message.content, question)
    return time.perf_counter() - started


def concurrent(url: str, model: Path, work: list, n: int) -> float:
    """Seconds of the judge client, its cache written and synced as in earnest."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        client = judge(url, model, concurrency=n, max_reply_tokens=REPLY_TOKENS, timeout_s=60)
        report = judge_items([client], work, mode="pairwise", cache=Path(folder) / "judgements.jsonl", progress=False)
        seconds = time.perf_counter() - started
    assert report.counts[0]["judged"] == report.cost["requests"] == report.counts[0]["total"], report.counts
    return seconds


def main() -> None:
    """Measure and print one row a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10, help="cases with 3 candidates, thus 6 judgements, each")
    parser.add_argument("--concurrency", type=int, default=8)
    options = parser.parse_args()
    work = items(options.cases)
    settings = [("one at a time", (), 0.0), ("continuous batching", BATCHING, 0.0), ("+1 s a reply", (), 1.0)]
    with tempfile.TemporaryDirectory() as name:
        model = Path(name)
        build_tiny_model(model, [case_text(i.case) + t for i in work for t in i.candidates])
        for setting, arguments, latency in settings:
            with real_server(model, *arguments) as server, FaultyProxy(server, latency_s=latency) as proxy:
                sequential(proxy.url, model, work[:1])  # warm up
                slow = sequential(proxy.url, model, work)
                fast = concurrent(proxy.url, model, work, options.concurrency)
            print(f"{setting}: {6 * options.cases} judgements, sequential {slow:.1f} s, "
                  f"concurrency {options.concurrency} {fast:.1f} s, ratio {slow / fast:.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
