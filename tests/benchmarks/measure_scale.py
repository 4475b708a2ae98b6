"""Seconds and memory of notebook 01 on many own records, as a hospital might export them: written as JSON.

    python tests/benchmarks/measure_scale.py [NUMBER] [--out OUT.json]

The records are invented cases as rows of a CSV file, four visits in ten follow-ups, one history in ten with planted
identifiers. The notebook runs as `./study notebook` runs it, in a study of its own that is deleted afterwards. The aim:
200,000 records in less than 5 minutes and 4 GiB. Seconds are said as the clock has them and as processors spent them:
on a busy machine the second is what counts.
"""

import argparse
import csv
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import planted_identifiers as planted  # noqa: E402

from tcm.cases import Case  # noqa: E402
from tcm.files import write_json, write_text  # noqa: E402
from tcm.invented import invent_cases  # noqa: E402
from tcm.prescriptions.writing import write_items  # noqa: E402

AIM = {"records": 200_000, "seconds": 300, "memory_gib": 4}
STUDY = "measure_scale"
HEADER = ("patient_id visit sex age chief_complaint history tongue pulse disease syndrome treatment_principle formula "
          "prescription").split()  # fmt: skip


def rows(number: int, seed: int = 0) -> Iterator[list]:
    """So many rows of an export, each patient's visits beside each other."""
    dice, written = random.Random(seed), 0
    named = [record.text for record in planted.records(planted.DEVELOPMENT, 400, seed)]
    for case in invent_cases(number, 0.3, seed):
        for visit in _visits(case)[: number - written]:
            visit[5] += f"。{dice.choice(named)}" if dice.random() < 0.1 else ""
            written += 1
            yield visit


def _visits(case: Case) -> list[list]:
    visits = [*case.earlier_visits, case.visit.model_copy(update={"answer": case.answer})]
    return [
        [case.patient_id, number, case.patient.sex, int(case.patient.age), v.chief_complaint, v.history, v.tongue,
         v.pulse, v.answer.disease, v.answer.syndrome, v.answer.treatment_principle,
         v.answer.formula, f"{write_items(v.answer.prescription)}。{v.answer.packets}剂，{v.answer.usage}"]
        for number, v in enumerate(visits, 1)
    ]  # fmt: skip


def measure(number: int) -> dict:
    """Run the notebook on so many records."""
    with tempfile.TemporaryDirectory() as folder:
        export, params = Path(folder) / "export.csv", Path(folder) / "scale.yaml"
        with export.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows(number)])
        write_text(params, f'study: {STUDY}\ndata_source: own\ndata_path: "{export}"\n')
        command = [sys.executable, "-P", "-m", "tcm_rlaif", "notebook", "01_data_prep", str(params)]
        started, before = time.monotonic(), processor_seconds()
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            seconds, spent = time.monotonic() - started, processor_seconds() - before
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
            (stage,) = (ROOT / "runs" / STUDY).rglob("stage.json")
            timing = json.loads((stage.parent / "timing.json").read_text("utf-8"))
            splits = json.loads(stage.read_text("utf-8"))["splits"]
        finally:
            shutil.rmtree(ROOT / "runs" / STUDY, ignore_errors=True)
    return {
        "records": number,
        "seconds": round(seconds, 1),
        "processor_seconds": round(spent, 1),
        "memory_gib": round(timing["peak_mib"] / 1024, 2),
        "cases": sum(row["cases"] for row in splits),
        "aim": AIM,
    }


def processor_seconds() -> float:
    """What ended children have spent."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """Measure; print it, and write it where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("number", nargs="?", type=int, default=AIM["records"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = measure(given.number)
    print(json.dumps(result, ensure_ascii=False))
    if given.out:
        write_json(given.out, result)


if __name__ == "__main__":
    main()
