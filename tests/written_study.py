"""A study of two test cases whose finished runs are written by hand, for tests of what gathers and shows results."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tcm import answers
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit, write_cases
from tcm.files import write_json
from tcm_rlaif.evaluation import judging, tables
from tcm_rlaif.study import params, plan
from tcm_rlaif.study.stage import Stage


def answer(*herbs: str, dose: float | None = 10, disease="不寐", packets=7) -> Answer:
    return Answer(
        disease=disease,
        syndrome="肝郁脾虚",
        treatment_principle="疏肝健脾",
        formula="逍遥散加减",
        prescription=tuple(PrescriptionItem(herb=h, dose=dose) for h in herbs),
        packets=packets,
        usage="水煎服",
    )


def case(name: str, gold: Answer | None, previous: Answer | None = None, text="失眠3月，心烦") -> Case:
    earlier = (Visit(chief_complaint="失眠", answer=previous),) if previous else ()
    patient = Patient(sex="女", age=45)
    visit = Visit(chief_complaint=text)
    return Case(
        id=name, source="invented", patient_id=name, patient=patient, visit=visit, earlier_visits=earlier, answer=gold
    )


TRAIN = [case("t1", answer("柴胡", "当归")), case("t2", answer("柴胡", "黄芩"), text="头痛，口苦")]
TEST = [
    case("a", answer("柴胡", "白芍")),
    case("b", answer("黄芪", "党参", disease="眩晕"), previous=answer("黄芪"), text="头晕，乏力"),
]

ARMS = {"base": {"training": "none"}, "sft": {"training": "sft"}, "sft_dpo": {}}
STUDY = {"study": "mini", "seeds": [0, 1], "arms": ARMS}
TEXTS = {  # what each arm answers to the two test cases, by seed
    "base": {0: ["", "中医诊断：眩晕。"]},
    "sft": {0: ["处方：柴胡10g", "处方：黄芪10g"], 1: ["处方：白芍10g", "处方：黄芪10g"]},
    "sft_dpo": {s: [answers.write(c.answer) for c in TEST] for s in (0, 1)},
}
AUDIT = {
    "detection": [],
    "readings": [],
    "physicians": {"rows": [], "drift": {}},
    "gate": [],
    "preflight": {"rows": [], "alike": None, "prompts": 0, "sentence": "", "warning": ""},
    "counts": [],
    "cost": {"requests": 0, "latency_median_s": float("nan")},
}
HEALTH = [{"step": 0, "margin": 0.0, "kl_per_token": 0.0}, {"step": 5, "margin": 1.5, "kl_per_token": 0.2}]
DPO = {
    "pairs": 5,
    "rows": 5,
    "rounds": [],
    "chosen_longer": 0.4,
    "first": {"loss": math.log(2), "margin": 0.0},
    "health": HEALTH,
}
FACTS = {
    "00_base_model": {"model": "tiny", "parameters": 2_000_000, "vocabulary": 4096, "last_loss": 1.2, "dtype": "f"},
    "01_data_prep": {
        "source": "invented",
        "funnel": [{"step": "records read", "cases": 4}],
        "splits": [{"split": s, "cases": n} for s, n in (("train", 2), ("validation", 0), ("test", 2))],
        "groups": 4,
        "unseen_test": 1,
        "hardness": [],
        "herbs_resolved": {"share": 1.0},
    },
    "02_sft": {},
    "03_rlaif_labels": AUDIT,
    "04_dpo": {**DPO, "fell_back_to_step": None, "gate_overridden": False},
    "05_evaluate": {"answering": {}},
}


@contextmanager
def opened(root: Path) -> Iterator[Stage]:
    """06_ablation of the study, whose earlier stages are finished under `root`.

    Args:
        root: takes the place of the project folder as long as the context lasts.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "ROOT", root)
        P = params.validated(STUDY, "mini.yaml")
        place = plan.study_folder(P)
        *earlier, last = plan.plan(P)
        by = judging.judges(P, TRAIN)
        for run in earlier:
            folder = place / run.folder
            if run.stage == "01_data_prep":
                write_cases(folder / "cases.jsonl", [*TRAIN, *TEST])
                write_json(folder / "splits.json", {c.id: "train" if c in TRAIN else "test" for c in (*TRAIN, *TEST)})
            if run.stage == "05_evaluate":
                scores = tables.score_answers(TEST, TEXTS[run.arm][run.seed], [True, True])
                for name, table in (("scores", scores), ("floors", tables.floors(TRAIN, TEST))):
                    tables.write_table(folder / f"{name}.jsonl", judging.judged(table, TEST, by))
            Stage(run, params.for_arm(P, run.arm), P, folder, {}).close(**FACTS[run.stage])
        yield Stage(last, P, P, place / last.folder, {name: place / folder for name, folder in last.inputs})
