"""What the study promises about damage, leaks and speed, against its aims: one table in `reports/trust.json`.

    python tests/benchmarks/measure_trust.py [PART ...]

Without a part, those that take seconds (`CHEAP`) are measured anew; `scale` takes minutes, `secrets`, `study` and
`kills` run whole small studies. Parts that are not named keep the figures that the file holds. `./study readme` shows
the table in docs/results.md. Times are of one processor, since others may use the machine.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(Path(__file__).parent)]

import bench_score  # noqa: E402
import measure_identifiers  # noqa: E402
import measure_kills  # noqa: E402
import measure_scale  # noqa: E402
import planted_identifiers as planted  # noqa: E402

from tcm.files import write_json  # noqa: E402
from tcm.invented import invent_cases  # noqa: E402
from tcm_rlaif.feedback.audit import detection  # noqa: E402
from tcm_rlaif.feedback.defects import PLEAS, plant  # noqa: E402
from tcm_rlaif.feedback.judges import make_judges  # noqa: E402
from tcm_rlaif.feedback.judges.base import Item  # noqa: E402
from tcm_rlaif.feedback.labelling import judge_items  # noqa: E402
from tcm_rlaif.study.schema import Params  # noqa: E402

FILE = ROOT / "reports" / "trust.json"


def row(promise: str, aim: str, value: str, reached: bool) -> dict:
    """One line of the table."""
    return {"promise": promise, "aim": aim, "measured": value, "reached": bool(reached)}


def identifiers() -> list[dict]:
    """Recall on the half of planted formats that no rule was written against, and what else is masked."""
    found = measure_identifiers.recall(planted.records(planted.HELD_OUT, measure_identifiers.RECORDS, 1))
    kinds, rows = found["kinds"], []
    for names, aim in ((("number", "contact"), 0.99), (("name", "address", "organisation", "date"), 0.95)):
        number = sum(kinds[name]["planted"] for name in names)
        recall = sum(kinds[name]["planted"] * kinds[name]["recall"] for name in names) / number
        rows.append(
            row(f"identifiers masked: {', '.join(names)}", f"≥ {aim:.0%}", f"{recall:.1%} of {number}", recall >= aim)
        )
    texts = dict(measure_identifiers.public_texts()).get("MTCMB", [])
    masked = measure_identifiers.alarms(texts)["characters_masked"] if texts else None
    if masked is not None:
        said = f"{masked:.1%} of the characters of {len(texts)} textbook cases"
        rows.append(row("harmless text masked", "≤ 1 %", said, masked <= 0.01))
    return rows


def speed() -> list[dict]:
    """Scoring, and the start of commands, in seconds of one processor."""
    golds, preds = bench_score.invented_answers(1), bench_score.invented_answers(2)
    bench_score.ours(golds[:5], preds[:5])
    took = min(bench_score.seconds(bench_score.ours, golds, preds) for _ in range(3))
    rows = [row(f"scoring {bench_score.N:,} answers", "≤ 1 s", f"{took:.1f} s", took <= 1)]
    for command in ("score", "audit", "read", "params"):
        start = statistics.median(_start(command) for _ in range(5))
        rows.append(row(f"`./study {command}` starts", "about 0.3 s", f"{start:.2f} s", start <= 0.35))
    return rows


def _start(command: str) -> float:
    before = measure_scale.processor_seconds()
    call = [sys.executable, "-P", "-m", "tcm_rlaif", command, "--help"]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    return measure_scale.processor_seconds() - before


def scale() -> list[dict]:
    """Many own records through notebook 01."""
    found = measure_scale.measure(measure_scale.AIM["records"])
    aim = found["aim"]
    ok = found["processor_seconds"] < aim["seconds"] and found["memory_gib"] < aim["memory_gib"]
    said = f"{found['processor_seconds'] / 60:.1f} minutes, {found['memory_gib']:.1f} GiB"
    return [row(f"{aim['records']:,} own records through notebook 01", "< 5 minutes, < 4 GiB", said, ok)]


def kills() -> list[dict]:
    """The smoke study killed outright, again and again."""
    return kill_rows(measure_kills.measure(20, within=30, cores=1))


def kill_rows(found: dict) -> list[dict]:
    """What `measure_kills` found, as lines of the table."""
    number, studies = found["number"], found["studies"]
    moments = [kill["finished"] for kill in found["kills"]]
    again = sum(len(study["repeated"]) for study in studies)
    equal = sum(study["code"] == 0 and not study["different"] for study in studies)
    kernels = sum(kill["kernels"] > 0 for kill in found["kills"])
    name = f"smoke study killed outright {number} times"
    said = f"{again} (killed with {min(moments)} to {max(moments)} of {found['runs']} runs finished)"
    return [
        row(f"{name}, resumed each time: finished runs made again", "0", said, not again),
        row("its results beside those of an undisturbed study", "equal", f"{equal} of {len(studies)} studies equal",
            equal == len(studies)),
        row("kernels that outlive a kill by ten seconds", "0", str(kernels), not kernels),
    ]  # fmt: skip


def pleas() -> list[dict]:
    """Answers and records that address the judge, before the judges that are computed."""
    cases = invent_cases(200, 0.3, 7)
    planted_pairs = plant(cases[100:], per_kind=60, seed=3)[0]
    items = [Item(p.case, (p.intact, p.defective)) for p in planted_pairs]
    rows = []
    for name in ("rubric", "evidence"):
        judges = make_judges(Params(judge=(name,)), cases[:100])
        verdicts = judge_items(judges, items, mode="pointwise", progress=False).verdicts
        found = {r["defect"]: r for r in detection(planted_pairs, verdicts)}
        without = found["other_patient"]["rate"]
        for kind in PLEAS:
            said = f"{found[kind]['detected']} of {found[kind]['n']} (without a plea {without:.0%})"
            place = "the answer" if kind.startswith("answer") else "the record"
            promise = f"`{name}` is not moved where {place} addresses it (invented cases)"
            rows.append(row(promise, "≥ 80 % seen", said, found[kind]["rate"] >= 0.8))
    return rows


TABLES = {
    "params files refused in one line": ["tests/tcm_rlaif/study/test_yaml_file.py"],
    "record files refused in one line": [
        "tests/tcm/sources/test_hostile_files.py",
        "tests/tcm/sources/test_refused_records.py",
    ],
    "rows of score and audit refused in one line": ["tests/tcm/commands/test_hostile_rows.py"],
    "no text forges a turn (chat templates)": ["tests/tcm_rlaif/models/test_chat.py"],
    "judges' replies and servers": [
        "tests/tcm_rlaif/feedback/test_replies.py",
        "tests/tcm_rlaif/feedback/test_judge_endpoint.py",
    ],
}
SECRETS = {"no planted key in what a study writes; no other machine asked": ["tests/tcm_rlaif/runner/test_secrets.py"]}
STUDY = {"a study killed, stopped and resumed": ["tests/tcm_rlaif/runner/test_smoke_study.py"]}


def tests(tables: dict[str, list[str]]) -> list[dict]:
    """How many tests of each table pass; what pytest says of the others goes to the terminal."""
    rows = []
    for promise, files in tables.items():
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "junit.xml"
            call = [sys.executable, "-m", "pytest", "-q", *files, f"--junitxml={report}"]
            said = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
            if said.returncode:
                print(said.stdout[-6000:], said.stderr[-2000:], file=sys.stderr)
            suite = ET.parse(report).getroot().find("testsuite")
        number, bad = int(suite.get("tests")), int(suite.get("failures")) + int(suite.get("errors"))
        bad += int(suite.get("skipped"))
        rows.append(row(promise, "all tests", f"{number - bad} of {number}", number and not bad))
    return rows


PARTS: dict[str, Callable[[], list[dict]]] = {
    "identifiers": identifiers,
    "inputs": lambda: tests(TABLES),
    "pleas": pleas,
    "secrets": lambda: tests(SECRETS),
    "study": lambda: tests(STUDY),
    "kills": kills,
    "scale": scale,
    "speed": speed,
}
CHEAP = ("identifiers", "inputs", "pleas", "speed")


def main() -> None:
    """Measure the parts that are named, keep the others, and write the table."""
    asked = sys.argv[1:] or CHEAP
    if unknown := set(asked) - PARTS.keys():
        raise SystemExit(f"no part {', '.join(unknown)}; parts: {', '.join(PARTS)}")
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    for part in asked:
        known[part] = PARTS[part]()
        print(json.dumps(known[part], ensure_ascii=False, indent=1), flush=True)
        write_json(FILE, {name: known[name] for name in PARTS if name in known})


if __name__ == "__main__":
    main()
