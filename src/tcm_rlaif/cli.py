"""`./study …`, or `python -m tcm_rlaif …`: run a study, run one notebook, score, audit, report, clean up.

(`./study lab` and `./study test` are the launcher's own: they only start JupyterLab and pytest.)
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tcm_rlaif import notebook, params, readme, report, score, stages
from tcm_rlaif.cases import CaseError
from tcm_rlaif.params import ROOT, ParamsError
from tcm_rlaif.report import ReportError
from tcm_rlaif.schema import NAME, Params
from tcm_rlaif.stages import StageError


def environment() -> dict[str, str]:
    """The environment of a study's runs: this interpreter's folder first, so that the DAG's `python` is this one."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return {**os.environ, "PATH": path}


def run_study(arguments: argparse.Namespace) -> int:
    """Run a whole study through Snakemake: finished runs are kept, an interrupted study goes on where it was."""
    P = params.load(arguments.params)
    with _only_one(P) as alone:
        if not alone:
            print(f"error: study {P.study!r} is being run by another process; wait for it or stop it", file=sys.stderr)
            return 2
        for folder in stages.forget_stale(P):
            print(f"{folder} was made with other parameters or code: it is run again")
        snakemake = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--directory",
            str(ROOT),
        ]
        config = ["--config", f"params={arguments.params}"]
        # we hold the study's own lock, so a lock that Snakemake left behind belongs to a killed run
        subprocess.run(
            [*snakemake, *config, "--unlock", "--quiet", "all"],
            env=environment(),
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        cores = arguments.cores or os.cpu_count() or 2
        command = [
            *snakemake,
            "--cores",
            str(cores),
            "--resources",
            f"gpu={P.gpus if _has_gpu() else cores}",
            "--workflow-profile",
            str(ROOT / "profiles" / "default"),
            *config,
        ]
        code = subprocess.run([*command, *arguments.snakemake], env=environment(), check=False).returncode
    if code == 0:
        print(f"\nreport and results: {stages.reports_folder(P)}")
    else:
        print(
            f"\nthe study stopped; notebooks and logs: {stages.study_folder(P)}. The same command goes on.",
            file=sys.stderr,
        )
    return code


class _only_one:
    """A lock on a study that the system frees even when the process is killed."""

    def __init__(self, P: Params):
        self.path = stages.study_folder(P) / ".lock"

    def __enter__(self) -> bool:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_):
        self.file.close()


def _has_gpu() -> bool:
    return (
        shutil.which("nvidia-smi") is not None and subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0
    )


def run_one(arguments: argparse.Namespace) -> int:
    """Run one notebook headless, with its output where the study keeps it."""
    P = params.load(arguments.params)
    stage = stages.stage_name(arguments.name)
    run = stages.find_run(P, stage, arguments.arm or next(reversed(P.arms)), arguments.seed)
    given = {"params_file": arguments.params, "arm": run.arm} | ({} if run.seed is None else {"seed": run.seed})
    source, folder = ROOT / "notebooks" / f"{stage}.ipynb", stages.study_folder(P) / run.folder
    return notebook.main([str(source), str(folder), "-y", json.dumps(given)])


def write_report(arguments: argparse.Namespace) -> int:
    """The HTML report of a study; of one that stopped, the pages of what there is."""
    page = report.publish(ROOT / "runs" / arguments.study, ROOT / "reports" / arguments.study)
    print(page)
    return 0


def fill_readme(arguments: argparse.Namespace) -> int:
    """Fill the published results into README.md."""
    readme.update()
    return 0


def print_params(arguments: argparse.Namespace) -> int:
    """Every parameter with default, unit, meaning and source; with a params file, what it changes."""
    changed = params.differences(params.load(arguments.params)) if arguments.params else {}
    for row in params.documentation():
        mark = f"  ->  {changed[row['key']]}" if row["key"] in changed else ""
        unit = f" {row['unit']}" if row["unit"] else ""
        print(f"{row['key']}: {row['default']}{unit}{mark}\n    {row['meaning']} [{row['source']}]")
    return 0


def clean(arguments: argparse.Namespace) -> int:
    """Delete what a study generated (the cache of base models stays)."""
    folder = ROOT / "runs" / arguments.study
    if not NAME.fullmatch(arguments.study) or arguments.study == "cache" or not folder.is_dir():
        print(f"error: {arguments.study!r} is no study under {ROOT / 'runs'}", file=sys.stderr)
        return 2
    shutil.rmtree(folder)
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    top = argparse.ArgumentParser(prog="./study", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    run = add("run", run_study, "run a whole study and write its report")
    run.add_argument("params", nargs="?", default="params/default.yaml")
    run.add_argument("--cores", type=int, help="default: all")
    run.add_argument(
        "--snakemake", nargs=argparse.REMAINDER, default=[], help="everything after this goes to Snakemake"
    )
    one = add("notebook", run_one, "run one notebook headless")
    one.add_argument("name", help="e.g. 02_sft")
    one.add_argument("params", nargs="?", default="params/default.yaml")
    one.add_argument("--arm")
    one.add_argument("--seed", type=int)
    add("report", write_report, "write the HTML report of a study again").add_argument("study")
    add("readme", fill_readme, "fill the published results into README.md")
    add("params", print_params, "print every parameter").add_argument("params", nargs="?")
    add("clean", clean, "delete what a study generated").add_argument("study")
    score.add_arguments(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors of input are one line and exit code 2."""
    given = parser().parse_args(arguments)
    try:
        return given.function(given)
    except (ParamsError, CaseError, StageError, ReportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
