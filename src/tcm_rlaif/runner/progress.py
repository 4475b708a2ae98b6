"""How far a study is, from its files alone: what `./study run` shows while it works, and `./study status` tells."""

import math
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from tcm.files import read_json
from tcm_rlaif.runner.lock import LOCK, holder
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import SNAPSHOT, ParamsError
from tcm_rlaif.study.plan import ABLATION, Run, plan, reports_folder, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE

ENGINE_LOG = "snakemake.log"  # in the study's folder: Snakemake's own lines of the last call
FINISHED, RUNNING, FAILED, KILLED, STOPPED, WAITING = "done", "running", "failed", "killed", "stopped", "waiting"
LONGEST, BAR = 400, 20  # characters of an error that are shown, and of a stage's bar


@dataclass(frozen=True)
class State:
    """Where one run stands.

    Args:
        seconds: that it took (of one that is due again: the last time), or has taken so far; None where not known.
        error: what failed, of a run that says so.
    """

    run: Run
    state: str
    seconds: float | None = None
    error: str = ""

    @property
    def name(self) -> str:
        """The run in words: stage, and arm and seed where these tell it from others."""
        seed = "" if self.run.seed is None else f"  seed {self.run.seed}"
        shared = self.run.folder.endswith("/shared") or self.run.folder == self.run.stage
        return self.run.stage if shared else f"{self.run.stage}  {self.run.arm}{seed}"


def states(P: Params, due: Collection[str], since: float = 0) -> list[State]:
    """Where each run of a study stands, in the order of the plan.

    Args:
        due: folders of runs that do not stand as they are (`stage.problems`).
        since: `time.time()` at which a call began: what is due and was finished after it is done, and what failed
            before it waits for its turn. 0 for no call.
    """
    return [_state(run, study_folder(P) / run.folder, run.folder in due, since) for run in plan(P)]


def _state(run: Run, folder: Path, due: bool, since: float) -> State:
    noted = _noted(folder)
    if holder(folder):
        return State(run, RUNNING, max(0.0, time.time() - _changed(folder / LOCK)))
    if (marked := _changed(folder / DONE)) and (not due or 0 < since <= marked):
        return State(run, FINISHED, noted.get("seconds"))
    if noted.get("status") in ("failed", "interrupted") and _changed(folder / "timing.json") >= since:
        state = FAILED if noted["status"] == "failed" else STOPPED
        return State(run, state, noted.get("seconds"), noted.get("error", ""))
    if not noted and not marked and _changed(folder / "log.txt") > since:
        return State(run, KILLED, error="it ended before it could say why (killed, or out of memory)")
    return State(run, WAITING, noted.get("seconds") if noted.get("status") == "done" else None)


def _noted(folder: Path) -> dict:
    try:
        return read_json(folder / "timing.json")
    except (OSError, ValueError):
        return {}


def _changed(path: Path) -> float:
    """When a file was written; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def expected(P: Params, found: Sequence[State]) -> dict[str, float]:
    """Stage -> seconds of one run: as measured in this study, else as its published report says."""
    try:
        rows = read_json(reports_folder(P) / "results.json")["cost"]
        known = {row["stage"]: row["seconds"] / row["runs"] for row in rows if row["runs"]}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    measured = [s for s in found if s.seconds and s.state in (FINISHED, WAITING)]
    for name in {s.run.stage for s in measured}:
        known[name] = median(s.seconds for s in measured if s.run.stage == name)
    return known


def left(found: Sequence[State], known: Mapping[str, float], at_once: int) -> tuple[float, bool]:
    """Seconds until all runs have ended, and whether that is all of it (each stage's time is known).

    Of two bounds the larger: all work shared by the runs that go side by side, and the longest chain of runs that
    wait for each other.
    """
    need, chain = {}, {}
    for s in found:
        length = known.get(s.run.stage, 0.0)
        past = s.seconds if s.state == RUNNING else 0.0
        need[s.run.folder] = 0.0 if s.state == FINISHED else max(0.0, length - past)
        chain[s.run.folder] = need[s.run.folder] + max((chain[f] for _, f in s.run.inputs), default=0.0)
    told = {*known, ABLATION}  # the stage that writes a report does not know what it will have taken itself
    complete = all(s.run.stage in told for s in found if s.state != FINISHED)
    return max(max(chain.values()), sum(need.values()) / at_once), complete


def clock(seconds: float) -> str:
    """`1:05`, `2:03:05`."""
    hours, rest = divmod(math.floor(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def lines(P: Params, found: Sequence[State], at_once: int, elapsed: float | None = None) -> list[str]:
    """The view: the study as a whole, its stages, and each run that works or stopped, with its log."""
    known, folder = expected(P, found), study_folder(P).relative_to(params.ROOT)
    done = sum(s.state == FINISHED for s in found)
    head = [f"{P.study}: {done} of {len(found)} runs done"]
    if elapsed is not None:
        head.append(f"{clock(elapsed)} elapsed")
    if done < len(found):
        seconds, complete = left(found, known, at_once)
        head.append(f"{'about' if complete else 'more than'} {clock(seconds)} left" if seconds else "time left unknown")
    elif elapsed is not None:
        head.append("writing the report")
    log = [f"  log: {folder / ENGINE_LOG}"] if (params.ROOT / folder / ENGINE_LOG).exists() else []
    return [" · ".join(head), *_stages(found), *_open(found, known, folder), *log]


def _stages(found: Sequence[State]) -> list[str]:
    rows = []
    for name in sorted({s.run.stage for s in found}):
        of_it = [s for s in found if s.run.stage == name]
        done = [s for s in of_it if s.state == FINISHED]
        took = [s.seconds for s in done if s.seconds]
        each = f"{clock(fmean(took))} each" if took else ""
        bar = "█" * (BAR * len(done) // len(of_it))
        rows.append(f"  {name:16} {bar:░<{BAR}} {len(done):>3} of {len(of_it)}  {each}")
    return [row.rstrip() for row in rows]


def _open(found: Sequence[State], known: Mapping[str, float], folder: Path) -> list[str]:
    rows = []
    for s in found:
        if s.state in (FINISHED, WAITING):
            continue
        took = "" if s.seconds is None else clock(s.seconds)
        usual = f" of about {clock(known[s.run.stage])}" if s.state == RUNNING and s.run.stage in known else ""
        rows.append(f"  {s.state:8} {s.name}  {took}{usual}  {folder / s.run.folder / 'log.txt'}")
        if s.error:
            rows.append(f"           {brief(s.error)}")
    return rows


def brief(error: str) -> str:
    """An error in one line, in which what a terminal would obey stands as its code."""
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in " ".join(error.split()))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def wrong(P: Params, found: Sequence[State]) -> str:
    """What failed, where to look and what to do, in one line; empty where no run says so."""
    failed = [s for s in found if s.state in (FAILED, KILLED)]
    if not failed:
        return ""
    first, others = failed[0], f" (and {len(failed) - 1} more: ./study status {P.study})" if failed[1:] else ""
    log = study_folder(P).relative_to(params.ROOT) / first.run.folder / "log.txt"
    what = f"{first.name} {first.state}: {brief(first.error).rstrip('.')}{others}"
    return f"{what}; look into {log}; the same command goes on where it stopped"


def status(P: Params, at_once: int) -> list[str]:
    """What `./study status` tells: whether it runs, how far it is, what failed, and what to do next."""
    folder, page = study_folder(P), reports_folder(P) / "report.html"
    found = states(P, stage.problems(P, files=False))
    by = holder(folder)
    told = lines(P, found, at_once, time.time() - _changed(folder / LOCK) if by else None)
    if by:
        next_ = f"running; process {by}, which `kill {by}` stops"
    elif failed := wrong(P, found):
        next_ = f"error: {failed}"
    elif all(s.state == FINISHED for s in found):
        next_ = f"finished; report: {page.relative_to(params.ROOT)}" if page.exists() else "finished, without a report"
    else:
        begun = any(s.state != WAITING for s in found)
        next_ = "stopped; ./study run goes on where it was" if begun else "not begun; ./study run begins it"
    return [*told, next_]


def named(study: str) -> Params:
    """The parameters of a study by its params file, or by its name where it has run.

    Raises:
        ParamsError: where neither is there.
    """
    if os.sep in study or study.endswith((".yaml", ".yml")):
        return params.load(study)
    snapshot = study_folder(params.validated({"study": study}, "status")) / SNAPSHOT
    if not snapshot.is_file():
        runs = sorted(p.parent.name for p in snapshot.parents[1].glob(f"*/{SNAPSHOT}"))
        raise ParamsError(f"{study}: no study of that name has run here; have run: {', '.join(runs) or 'none'}")
    return params.load(snapshot)
