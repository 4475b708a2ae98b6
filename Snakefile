"""The study as a DAG of papermill runs: every run of the plan (stage x arm x seed) is a rule.

Started by `./study run PARAMS`, which names the runs that are due; on a cluster:

    ./study run PARAMS --snakemake --workflow-profile profiles/CLUSTER
"""

import json

from tcm_rlaif.runner.study import PUBLISHED, rule_name, threads
from tcm_rlaif.study import params, plan, stage
from tcm_rlaif.study.notebooks import NOTEBOOKS

P = params.load(config["params"])
STUDY = plan.study_folder(P).relative_to(params.ROOT)
RUNS = {run.folder: run for run in plan.plan(P)}
DUE = set((config.get("due") or "").split(","))


def before(folder):
    """The runs that a run reads, directly or through others."""
    return {f for _, direct in RUNS[folder].inputs for f in (direct, *before(direct))}


def needed(folders, due_before):
    """Done-markers that a rule waits for.

    They are `ancient`: a run that was repeated by the same recipe is newer than those after it and leaves them
    standing. But a rule that is due waits for all due ones before it, or Snakemake would take it for done once one of
    them has run (it drops what is forced behind a run, and brings back only what reads it as new).
    """
    done = {folder: str(STUDY / folder / stage.DONE) for folder in [*folders, *sorted(due_before)]}
    return [path if folder in due_before else ancient(path) for folder, path in done.items()]


localrules:
    report,


rule report:
    input:
        needed(RUNS, DUE & RUNS.keys()),
    output:
        touch(str(STUDY / PUBLISHED)),
    shell:
        "python -m tcm_rlaif report {P.study}"


for run in RUNS.values():

    rule:
        name:
            rule_name(run.folder)
        input:
            needed([f for _, f in run.inputs], DUE & before(run.folder) if run.folder in DUE else set()),
        output:
            str(STUDY / run.folder / stage.DONE),
        params:
            given=json.dumps(plan.given(run, config["params"])),
            source=f"notebooks/{run.stage}.ipynb",
            folder=str(STUDY / run.folder),
        threads: workflow.cores if run.stage == "00_base_model" else threads(P, workflow.cores)
        resources:
            gpu=int(NOTEBOOKS[run.stage].gpu and P.gpus > 0),
        shell:
            "OMP_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-{threads}}} "  # a job of Slurm has what its profile asked for
            "python -m tcm_rlaif.runner.notebook {params.source} {params.folder} -y {params.given:q}"
