"""The check of a device passes where all is well, and names each thing that is not."""

import math

import pytest
import tiny_model
from benchmarks import check_device


@pytest.fixture(scope="module")
def found():
    """What it finds of the tiny model here."""
    P = tiny_model.params(base_model=str(tiny_model.folder()), sft_epochs=1, sft_batch_size=2, dpo_batch_size=2,
                          dpo_epochs=1, sft_learning_rate=1e-2)  # fmt: skip
    return check_device.checked(P, steps=8)


def test_a_sound_device_passes(found):
    assert check_device.faults(found) == []
    assert found["loss after"] < found["first loss"] == pytest.approx(found["first loss, eager"], abs=1e-4)
    assert found["DPO's losses"][0] == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("prompts padded on the left", math.inf, "padded prompt"),
        ("first loss", math.nan, "another loss than plain attention"),
        ("loss after", 99.0, "did not fall"),
        ("saved and read back", 0.1, "read back"),
        ("DPO's first margin", 0.5, "does not begin as its reference"),
        ("stopped", "step 3 of 20: loss is nan", "step 3 of 20"),
    ],
)
def test_each_fault_is_named(found, name, value, said):
    assert any(said in fault for fault in check_device.faults({**found, name: value}))


def test_a_training_that_ends_at_no_number_is_a_fault_and_no_crash(monkeypatch):
    def broken(trainer):
        raise FloatingPointError("step 3 of 8: loss is nan")

    monkeypatch.setattr(check_device.arguments, "run", broken)
    P = tiny_model.params(base_model=str(tiny_model.folder()), sft_epochs=1, sft_batch_size=2)
    assert check_device.faults(check_device.checked(P, steps=2)) == ["step 3 of 8: loss is nan"]
