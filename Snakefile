"""The study as a DAG of papermill runs: every run of the plan (stage x arm x seed) is a rule.

Started by `./study run PARAMS`, or directly, also on a cluster:

    snakemake --cores 2 --workflow-profile profiles/default --config params=params/smoke.yaml
"""

import json

from tcm_rlaif import params, stages

configfile_hint = "give a params file: --config params=params/default.yaml"
assert "params" in config, configfile_hint
P = params.load(config["params"])
STUDY = stages.study_folder(P).relative_to(params.ROOT)
RUNS = {run.folder: run for run in stages.plan(P)}
# The tiny base is alone at the start and gets all cores; later runs share them, two at a time.
SHARED = max(1, workflow.cores // 2)


def given(run):
    """What the notebook is told: only what differs from the defaults, so that the injected cell stays short."""
    own = {"arm": run.arm, **({} if run.seed is None else {"seed": run.seed})}
    return json.dumps({**params.differences(P), "params_file": config["params"], **own}, ensure_ascii=False)


localrules:
    report,


rule report:
    input:
        [str(STUDY / folder / stages.DONE) for folder in RUNS],
    output:
        f"reports/{P.study}/report.html",
    shell:
        "python -m tcm_rlaif report {P.study}"


for run in RUNS.values():

    rule:
        name:
            run.folder.replace("/", "_")
        input:
            [str(STUDY / folder / stages.DONE) for _, folder in run.inputs],
        output:
            str(STUDY / run.folder / stages.DONE),
        params:
            # what decides whether a finished run is stale: the code of its notebook and every parameter read so far
            code=stages.code_hash(run.stage),
            read=json.dumps(stages.read_by(params.for_arm(P, run.arm), run.stage), sort_keys=True),
            given=given(run),
            source=f"notebooks/{run.stage}.ipynb",
            folder=str(STUDY / run.folder),
        threads: workflow.cores if run.stage == "00_base_model" else SHARED
        resources:
            gpu=0 if run.stage in ("01_data_prep", "06_ablation") else 1,
        shell:
            "OMP_NUM_THREADS={threads} python -m tcm_rlaif.notebook {params.source} {params.folder} -y {params.given:q}"
