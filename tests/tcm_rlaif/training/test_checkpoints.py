"""A training goes on from its newest whole checkpoint: one that is cut off is said, removed and never gone on from."""

import json
import shutil

import pytest
import tiny_model

from tcm_rlaif.training import sft
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.checkpoints import newest


def trainer(folder):
    """Three epochs of SFT on four cases, one step and one checkpoint each; no epoch is the best but the last one."""
    model, tokenizer = tiny_model.base()
    P = tiny_model.params(sft_batch_size=4, sft_epochs=3)
    rows, validation = sft.sft_rows(tiny_model.cases()[:4]), sft.sft_rows(tiny_model.cases()[8:10])
    made = sft.sft_trainer(model, tokenizer, rows, validation, P, seed=0, folder=folder)
    made.args.save_total_limit = None  # all three stay, so that an older one is there to go back to
    return made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of a training that nothing happened to, its log, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    made = trainer(folder)
    log = run(made)
    return tiny_model.weights(made.model), log, folder


@pytest.fixture
def killed(undisturbed, tmp_path):
    """The folder of the checkpoints that are left of a training in `tmp_path` which was killed in its third epoch."""
    place = (
        shutil.copytree(undisturbed[2], tmp_path, dirs_exist_ok=True) / next(undisturbed[2].glob("checkpoints-*")).name
    )
    shutil.rmtree(place / "checkpoint-3")
    for path in place.glob("checkpoint-*"):
        rewrite(path, best_model_checkpoint=str(path))
    return place


def rewrite(checkpoint, **changes) -> None:
    file = checkpoint / "trainer_state.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def cut(name: str, share: float = 0.5):
    def damage(checkpoint) -> None:
        file = checkpoint / name
        with open(file, "r+b") as opened:
            opened.truncate(int(file.stat().st_size * share))

    return damage


def zeros(checkpoint) -> None:
    """What a file system may leave of a file after a power cut: its length without its content."""
    file = checkpoint / "optimizer.pt"
    middle = file.stat().st_size // 2
    with open(file, "r+b") as opened:
        opened.seek(middle)
        opened.write(bytes(1000))


DAMAGES = {
    "optimizer.pt is cut": cut("optimizer.pt"),
    "optimizer.pt is empty": cut("optimizer.pt", 0),
    "optimizer.pt holds zeros": zeros,
    "optimizer.pt is gone": lambda checkpoint: (checkpoint / "optimizer.pt").unlink(),
    "scheduler.pt is gone": lambda checkpoint: (checkpoint / "scheduler.pt").unlink(),
    "rng_state.pth is cut": cut("rng_state.pth"),
    "trainer_state.json is empty": cut("trainer_state.json", 0),
    "trainer_state.json is cut": cut("trainer_state.json"),
    "trainer_state.json is gone": lambda checkpoint: (checkpoint / "trainer_state.json").unlink(),
    "trainer_state.json is no object": lambda checkpoint: (checkpoint / "trainer_state.json").write_text("[]"),
    "trainer_state.json is of another step": lambda checkpoint: rewrite(checkpoint, global_step=1),
    "the adapter is cut": cut("adapter_model.safetensors"),
    "the adapter is gone": lambda checkpoint: (checkpoint / "adapter_model.safetensors").unlink(),
    "the best weights are elsewhere": lambda checkpoint: rewrite(checkpoint, best_model_checkpoint="/nowhere"),
}


def test_whole_checkpoints_stay_and_the_newest_is_taken(killed, capsys):
    (killed / "checkpoint-old").mkdir()
    assert newest(killed) == killed / "checkpoint-2" and capsys.readouterr().out == ""
    assert {path.name for path in killed.iterdir()} >= {"checkpoint-1", "checkpoint-2", "checkpoint-old"}


def test_ten_is_newer_than_nine(killed):
    for step in (9, 10):
        shutil.copytree(killed / "checkpoint-2", killed / f"checkpoint-{step}")
        rewrite(killed / f"checkpoint-{step}", global_step=step)
    assert newest(killed) == killed / "checkpoint-10"


def test_nothing_to_go_on_from_is_none(tmp_path):
    assert newest(tmp_path / "absent") is None and newest(tmp_path) is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_checkpoint_is_said_and_removed(killed, capsys, damage):
    DAMAGES[damage](killed / "checkpoint-2")
    assert newest(killed) == killed / "checkpoint-1"
    said = capsys.readouterr().out.strip()
    assert str(killed / "checkpoint-2") in said and len(said.splitlines()) == 1
    assert not (killed / "checkpoint-2").exists()


def test_a_checkpoint_whose_best_weights_are_damaged_is_not_gone_on_from(killed, capsys):
    """The trainer would warn, keep the last weights in place of the best, and end as if nothing had happened."""
    rewrite(killed / "checkpoint-2", best_model_checkpoint=str(killed / "checkpoint-1"))
    cut("adapter_model.safetensors")(killed / "checkpoint-1")
    assert newest(killed) is None and len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("damage", ["trainer_state.json is gone", "optimizer.pt is empty", "the adapter is cut"])
def test_a_training_goes_on_from_an_older_checkpoint_to_the_same_weights(undisturbed, killed, tmp_path, damage):
    weights, whole_log, _ = undisturbed
    made = trainer(tmp_path)
    DAMAGES[damage](killed / "checkpoint-2")
    log = run(made)
    assert [row["step"] for row in log if "loss" in row] == [1, 2, 3]
    # the first step is from the checkpoint's log, so it was not trained again
    assert made.state.log_history[0] == whole_log[0]
    assert_same(weights, tiny_model.weights(made.model))


def test_with_no_whole_checkpoint_a_training_begins_afresh_and_ends_with_the_same_weights(
    undisturbed, killed, tmp_path, capsys
):
    made = trainer(tmp_path)
    DAMAGES["optimizer.pt is cut"](killed / "checkpoint-1")
    DAMAGES["trainer_state.json is empty"](killed / "checkpoint-2")
    run(made)
    assert capsys.readouterr().out.count("removed") == 2
    assert_same(undisturbed[0], tiny_model.weights(made.model))


def assert_same(expected: dict, found: dict) -> None:
    assert expected.keys() == found.keys()
    assert max((expected[n] - found[n]).abs().max().item() for n in expected) < 1e-6
