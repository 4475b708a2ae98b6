"""Kill the smoke study outright at random moments and go on each time: is anything done twice, are results the same?

    python tests/benchmarks/measure_kills.py 20 --out kills.json

An undisturbed study is run first, with as many cores. Then a study is killed (SIGKILL to the whole process group) and
the same command goes on, until so many kills were made. The kills spread over the whole study: of 20 kills the tenth
waits until half of the runs are finished. From there on (or from the start of a call that is that far already) the
moment is drawn from `--within` processor seconds, so that a busy machine changes nothing. A study that ends before its
kills are made is compared, and another takes the rest; the last one is finished and compared. The base model is taken
from the cache, where it is.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

from tcm.files import write_json
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.timings import timeless

STUDIES = WHOLE, KILLED = "kills_whole", "kills_study"


def start(study: str, cores: int) -> subprocess.Popen:
    """The smoke study under a name of its own, as the leader of a process group."""
    path = ROOT / "runs" / f"{study}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({**params.read_yaml("params/smoke.yaml"), "study": study}), "utf-8")
    command = [sys.executable, "-m", "tcm_rlaif", "run", str(path), "--cores", str(cores)]
    return subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def done(study: str) -> dict[str, int]:
    """Finished runs, and when each was finished."""
    return {str(p.parent): p.stat().st_mtime_ns for p in (ROOT / "runs" / study).rglob(stage.DONE)}


def kernels() -> list[int]:
    """Kernels of notebooks of this project that are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(ROOT / "notebooks") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            pass
    return found


def results(study: str) -> dict:
    """What a study found, without its name, times, and the code that it was made with."""
    text = (ROOT / "reports" / study / "results.json").read_text("utf-8").replace(study, "study")
    return {key: value for key, value in timeless(json.loads(text)).items() if key not in ("commit", "made_with")}


def differing(a: object, b: object, where: str = "") -> list[str]:
    """Places at which two results differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [p for k in sorted({*a, *b}) for p in differing(a.get(k), b.get(k), f"{where}/{k}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [p for i, (x, y) in enumerate(zip(a, b, strict=True)) for p in differing(x, y, f"{where}/{i}")]
    return [] if a == b or (a != a and b != b) else [where]


def clear(study: str) -> None:
    """Remove what a study left."""
    for folder in ("runs", "reports"):
        shutil.rmtree(ROOT / folder / study, ignore_errors=True)


def used(process: psutil.Process) -> float:
    """Processor seconds of a process and all that it started, ended or not."""
    found = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            found += sum(one.cpu_times()[:4])  # user, system, and both of ended children
        except psutil.Error:
            continue
    return found


def killed(process: subprocess.Popen, finished: int, after: float) -> bool:
    """Kill a study's whole group so many processor seconds after so many runs are finished; False where it ended
    before."""
    watched, begun = psutil.Process(process.pid), None
    while process.poll() is None:
        if begun is None and len(done(KILLED)) >= finished:
            begun = used(watched)
        if begun is not None and used(watched) - begun >= after:
            os.killpg(process.pid, signal.SIGKILL)
            return True
        time.sleep(0.2)
    return False


def left() -> int:
    """Kernels that are alive ten seconds after a kill."""
    until = time.monotonic() + 10
    while (found := len(kernels())) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def measure(number: int, within: float, cores: int, seed: int = 0, minutes: float = 60) -> dict:
    """Make so many kills, and say what they did."""
    draw, until, kills, studies = random.Random(seed), time.monotonic() + 60 * minutes, [], []
    for study in STUDIES:
        clear(study)
    whole = start(WHOLE, cores)
    _, said = whole.communicate()
    if whole.returncode:
        sys.exit(f"the undisturbed study failed:\n{said.decode()}")
    runs = len(done(WHOLE))
    while len(kills) < number and time.monotonic() < until:
        clear(KILLED)
        code, repeated = None, set()
        while code is None:
            before, process = done(KILLED), start(KILLED, cores)
            more = len(kills) < number and time.monotonic() < until
            if more and killed(process, len(kills) * runs // number, draw.uniform(0, within)):
                process.wait()
                process.stderr.close()  # not read to its end: a kernel that outlives the kill may hold it
                kills.append({"study": len(studies), "finished": len(done(KILLED)), "kernels": left()})
                print(f"kill {len(kills)}: {kills[-1]}", flush=True)
            else:
                said = process.communicate()[1]
                code = process.returncode
            repeated |= {folder for folder, made in before.items() if done(KILLED).get(folder) != made}
        different = differing(results(WHOLE), results(KILLED)) if code == 0 else ["not finished"]
        found = {"code": code, "repeated": sorted(repeated), "different": different, "said": said.decode()[-500:]}
        studies.append(found)
        print(f"{len(kills)} kills; study {len(studies)}: {found}", flush=True)
    for study in STUDIES:
        clear(study)
        (ROOT / "runs" / f"{study}.yaml").unlink(missing_ok=True)
    stayed = [kill for kill in kills if kill["kernels"]]
    held = not stayed and all(s["code"] == 0 and not s["repeated"] and not s["different"] for s in studies)
    return {"held": held, "number": len(kills), "cores": cores, "runs": runs,
            "kills": kills, "studies": studies}  # fmt: skip


def main() -> int:
    """Measure and write; 1 where a promise did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("--within", type=float, default=30, help="processor seconds in which a kill comes")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--minutes", type=float, default=60, help="begin no further kill after so long")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "kills.json")
    given = parser.parse_args()
    found = measure(given.kills, given.within, given.cores, given.seed, given.minutes)
    write_json(given.out, found)
    return 0 if found["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
