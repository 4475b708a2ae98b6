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


# Inputs are `ancient`: a run that was repeated by the same recipe is newer than those after it and leaves them standing.
localrules:
    report,


rule report:
    input:
        [ancient(str(STUDY / folder / stage.DONE)) for folder in RUNS],
    output:
        touch(str(STUDY / PUBLISHED)),
    shell:
        "python -m tcm_rlaif report {P.study}"


for run in RUNS.values():

    rule:
        name:
            rule_name(run.folder)
        input:
            [ancient(str(STUDY / folder / stage.DONE)) for _, folder in run.inputs],
        output:
            str(STUDY / run.folder / stage.DONE),
        params:
            given=json.dumps(plan.given(run, config["params"])),
            source=f"notebooks/{run.stage}.ipynb",
            folder=str(STUDY / run.folder),
        threads: workflow.cores if run.stage == "00_base_model" else threads(P, workflow.cores)
        resources:
            gpu=int(NOTEBOOKS[run.stage].gpu),
        shell:
            "OMP_NUM_THREADS={threads} "
            "python -m tcm_rlaif.runner.notebook {params.source} {params.folder} -y {params.given:q}"
