"""Seconds and memory of near-duplicate groups, by how many records there are and what their texts share.

    python tests/benchmarks/bench_groups.py [NUMBER ...] [--out OUT.json]

Four kinds of text: clauses of invented cases at random; invented cases with one clause changed; every record with the
same long phrase; one phrase and a few characters of its own (one huge chain). Each is measured in its own process.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from tcm.cases import Case, splits  # noqa: E402
from tcm.files import write_json  # noqa: E402
from tcm.invented import invent_cases  # noqa: E402

PHRASE = (
    "患者神清，精神可，发育正常，营养中等，查体合作，双肺呼吸音清，心律齐，腹软无压痛，双下肢无水肿，生理反射存在，"
)


def texts(kind: str, number: int) -> Iterator[str]:
    """Findings of a kind."""
    rng = random.Random(kind)
    invented = [case.visit.findings for case in invent_cases(min(number, 4000), 0.3, 0)]
    clauses = [clause for text in invented for clause in text.replace("。", "，").split("，") if clause]
    for i in range(number):
        if kind == "clauses":
            yield "，".join(rng.sample(clauses, rng.randint(6, 14)))
        elif kind == "copies":
            parts = rng.choice(invented).replace("。", "，").split("，")
            parts[rng.randrange(len(parts))] = rng.choice(clauses)
            yield "，".join(parts)
        elif kind == "a shared phrase":
            yield PHRASE + "，".join(rng.sample(clauses, rng.randint(4, 8)))
        else:
            yield f"{PHRASE}第{i}例"


KINDS = ("clauses", "copies", "a shared phrase", "one huge chain")


def measure(kind: str, number: int) -> dict:
    """Seconds, memory and groups of one kind; in this process."""
    cases = [
        Case(id=str(i), source="own", patient_id=str(i // 2 if i % 10 == 0 else -i), visit={"history": text})
        for i, text in enumerate(texts(kind, number))
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = time.perf_counter(), time.process_time()
    found = splits.groups(cases)
    return {
        "kind": kind,
        "records": number,
        "characters": round(sum(len(case.visit.findings) for case in cases) / number),
        "seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "mib_before": round(before),
        "mib_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "groups": len(set(found)),
    }


def main() -> None:
    """Measure every kind and number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("numbers", nargs="*", type=int, default=[20_000, 200_000])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--kind", choices=KINDS)
    given = parser.parse_args()
    if given.kind:
        print(json.dumps(measure(given.kind, given.numbers[0]), ensure_ascii=False))
        return
    rows = []
    for number in given.numbers:
        for kind in KINDS:
            done = subprocess.run(
                [sys.executable, __file__, str(number), "--kind", kind], capture_output=True, text=True, check=True
            )
            rows.append(json.loads(done.stdout))
            print(rows[-1], flush=True)
    if given.out:
        write_json(given.out, rows)


if __name__ == "__main__":
    main()
