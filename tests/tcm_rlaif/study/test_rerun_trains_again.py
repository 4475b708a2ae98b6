"""A finished stage leaves no checkpoint behind: run again, it trains again, and what it found stays whole."""

from tcm_rlaif.study import params, plan, stage
from tcm_rlaif.study.stage import Stage


def test_closing_a_stage_removes_the_checkpoints_of_its_trainings_and_nothing_else(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    P = params.load("params/smoke.yaml")
    run = next(run for run in plan.plan(P) if run.stage == "02_sft")
    folder = plan.study_folder(P) / run.folder
    for name in ("checkpoints-sft-1/checkpoint-8", "textbook/checkpoints-sft-1/checkpoint-2", "adapter"):
        (folder / name).mkdir(parents=True)
        (folder / name / "weights").write_text("w")
    (folder / "checkpoints-sft-1" / "runs").mkdir()  # TensorBoard's
    Stage(run, params.for_arm(P, run.arm), P, folder, {}).close()
    assert not [*folder.glob("**/checkpoint-*")] and (folder / "checkpoints-sft-1" / "runs").is_dir()
    assert (folder / "adapter" / "weights").read_text() == "w" and not stage.damage(folder)
