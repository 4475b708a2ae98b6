"""`./study …`, or `python -m tcm_rlaif …`: run, watch, verify and compare studies, one notebook, records, reports.

(`./study lab` and `./study test` are the launcher's own: they only start JupyterLab and pytest.)
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from tcm import commands
from tcm.cases import CaseError
from tcm_rlaif.models.loading import ModelError
from tcm_rlaif.report import page
from tcm_rlaif.report.page import ReportError
from tcm_rlaif.runner import notebook, progress, study
from tcm_rlaif.study import params
from tcm_rlaif.study.params import ROOT, ParamsError
from tcm_rlaif.study.plan import StageError, find_run, given, reports_folder, stage_name, study_folder

WIDEST = 60  # characters of a cell in a terminal; the page has all
REFUSALS = (ParamsError, CaseError, StageError, ReportError, ModelError)
"""Input that cannot be used: one line, exit code 2."""


def run_study(arguments: argparse.Namespace) -> int:
    """Run a whole study: finished runs are kept, an interrupted study goes on where it was."""
    return study.run_study(params.load(arguments.params), arguments.cores or os.cpu_count() or 2, arguments.snakemake)


def plan_study(arguments: argparse.Namespace) -> int:
    """What a study would do and how long it would take here; nothing is fetched or trained."""
    from tcm_rlaif.runner.forecast import forecast  # loads the model where it is here: torch only for this command

    print("\n".join(forecast(params.load(arguments.params))))
    return 0


def run_one(arguments: argparse.Namespace) -> int:
    """Run one notebook headless, with its output where the study keeps it."""
    P = params.load(arguments.params)
    stage = stage_name(arguments.name)
    arm = arguments.arm or ("sft_dpo" if "sft_dpo" in P.arms else next(reversed(P.arms)))
    run = find_run(P, stage, arm, arguments.seed)
    told = json.dumps(given(run, arguments.params, arm))
    source, folder = ROOT / "notebooks" / f"{stage}.ipynb", study_folder(P) / run.folder
    with study.alone(P, shared=True):
        return notebook.main([str(source), str(folder), "-y", told])


def tell_status(arguments: argparse.Namespace) -> int:
    """How far a study is: running, stopped, failed or finished. Read from its files alone."""
    P, cores = progress.named(arguments.study), os.cpu_count() or 2
    print("\n".join(progress.status(P, study.at_once(P, cores))))
    return 0


def write_report(arguments: argparse.Namespace) -> int:
    """The HTML report of a study; of one that stopped, the pages of what there is."""
    P = params.validated({"study": arguments.study}, "report")
    print(page.publish(study_folder(P), reports_folder(P), arguments.public))
    return 0


def export_arm(arguments: argparse.Namespace) -> int:
    """A trained arm for others: adapter, merged weights and preference pairs, each with a card."""
    from tcm_rlaif.runner import export, trained

    found = trained.find(arguments.study, arguments.arm, arguments.seed)
    for name, path in export.export(found, arguments.out).items():
        print(f"{name}: {path}")
    return 0


def predict_cases(arguments: argparse.Namespace) -> int:
    """What an arm answers to new cases: one JSON object a line, read and audited."""
    from tcm_rlaif.runner import predict, trained

    cases = predict.read_file(arguments.cases, sys.stdin)
    print(predict.NOTICE, file=sys.stderr)
    for row in predict.answer(trained.find(arguments.study, arguments.arm, arguments.seed), cases):
        print(json.dumps(row, ensure_ascii=False))
    return 0


def look(arguments: argparse.Namespace) -> int:
    """The explore notebook of a finished study, executed, as a page."""
    from tcm_rlaif.runner.look import write_page

    print(write_page(params.validated({"study": arguments.study}, "look")))
    return 0


def compare_two(arguments: argparse.Namespace) -> int:
    """Two studies beside each other; of one file of blind marks, what they say of arms, judge and herb F1."""
    from tcm_rlaif.report import compare

    if arguments.other is None:
        means, agreement, named = compare.marked(compare.read_marks(Path(arguments.first)))
        print(means.to_string(index=False), agreement.to_string(index=False), sep="\n\n")
        print(f"\n{named} marks were given after the names were shown and are left out")
        return 0
    a, b = compare.read_results(arguments.first), compare.read_results(arguments.other)
    for table in (compare.what_differs(a, b), compare.side_by_side(a, b)):
        print(f"{table.to_string(index=False, max_colwidth=WIDEST)}\n")
    if arguments.page:
        print(compare.page(a, b, arguments.page))
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Run a published study again, beside it: number by number, does it lie within the published interval?"""
    from tcm_rlaif.report import compare

    published = compare.read_results(arguments.study)
    given = published.get("all_params") or published["params"]
    P = params.validated({**given, "study": f"{published['study']}_again"}, "verify")
    if status := study.run_study(P, arguments.cores or os.cpu_count() or 2):
        return status
    table = compare.reproduced(published, compare.read_results(str(reports_folder(P))))
    print(table.to_string(index=False))
    print(f"\n{table['within'].sum()} of {len(table)} numbers lie within the published interval")
    return 0 if table["within"].all() else 1


def fill_readme(arguments: argparse.Namespace) -> int:
    """Fill the published results into README.md."""
    from tcm_rlaif.report import readme

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
    P = params.validated({"study": arguments.study}, "clean")
    folder = study_folder(P)
    if not folder.is_dir():
        raise StageError(f"{folder}: nothing of such a study is there")
    with study.alone(P):
        shutil.rmtree(folder)
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments; those of `tcm.commands` are only listed."""
    top = argparse.ArgumentParser(prog="./study", description=__doc__)
    offered = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function, text: str) -> argparse.ArgumentParser:
        command = offered.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    run = add("run", run_study, "run a whole study and write its report")
    run.add_argument("params", nargs="?", default="params/default.yaml")
    run.add_argument("--cores", type=int, help="default: all")
    run.add_argument(
        "--snakemake", nargs=argparse.REMAINDER, default=[], help="everything after this goes to Snakemake"
    )
    told = add("plan", plan_study, "what a study would do, and how long it would take on this machine")
    told.add_argument("params", nargs="?", default="params/default.yaml")
    far = add("status", tell_status, "how far a study is: done of total, time left, what failed, where the logs are")
    far.add_argument("study", nargs="?", default="params/default.yaml", help="a study that has run, or a params file")
    one = add("notebook", run_one, "run one notebook headless")
    one.add_argument("name", help="e.g. 02_sft")
    one.add_argument("params", nargs="?", default="params/default.yaml")
    one.add_argument("--arm", help="default: sft_dpo where the study has it, else its last arm")
    one.add_argument("--seed", type=int)
    told = add("report", write_report, "write the HTML report of a study again")
    told.add_argument("study")
    told.add_argument("--public", action="store_true", help="without the text of any case, also of its answers")
    for name, function, text in (
        ("export", export_arm, "write a trained arm as adapter and merged model, with cards"),
        ("predict", predict_cases, "what a trained arm answers to new cases, read and audited; research only"),
    ):
        of_arm = add(name, function, text)
        of_arm.add_argument("study")
        of_arm.add_argument("arm")
        of_arm.add_argument("--seed", type=int, help="default: the study's first")
        if name == "export":
            of_arm.add_argument("out", type=Path, help="a new folder")
        else:
            of_arm.add_argument("cases", metavar="CASE.json|-", help="one case, a list, or one a line; - for stdin")
    seen = add("look", look, "write the explore notebook of a finished study, executed, as a page to look at")
    seen.add_argument("study", nargs="?", default="default")
    two = add("compare", compare_two, "two studies beside each other, or what blind marks say")
    two.add_argument("first", help="a study of reports/, a results.json, or a file of marks")
    two.add_argument("other", nargs="?", help="the study to compare with; none for a file of marks")
    two.add_argument("--page", type=Path, help="write the comparison as HTML to this file")
    again = add("verify", verify, "run a published study again: does it reproduce?")
    again.add_argument("study", nargs="?", default="default")
    again.add_argument("--cores", type=int, help="default: all")
    add("readme", fill_readme, "fill the published results into README.md")
    add("params", print_params, "print every parameter").add_argument("params", nargs="?")
    add("clean", clean, "delete what a study generated").add_argument("study")
    for name, (_, about) in commands.COMMANDS.items():
        offered.add_parser(name, help=about)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors of input are one line and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in commands.COMMANDS:
        return commands.main(given)
    called = parser().parse_args(given)
    return commands.guarded(lambda: called.function(called), *REFUSALS)
