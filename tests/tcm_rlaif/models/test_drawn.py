"""A run that is killed while it draws goes on with the batch it was in, and never with answers of another policy."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_model

from tcm_rlaif.models import sampling
from tcm_rlaif.models.sampling import sample

SETTINGS = {"number": 2, "temperature": 1.0, "max_new_tokens": 20, "batch_size": 4, "seed": 3}
KILLED = """
import sys, time
from pathlib import Path
import tiny_model
from tcm_rlaif.models import loading, sampling
decode = sampling.decode
def slow(*given, **settings):
    print("batch", flush=True)
    time.sleep(0.3)
    return decode(*given, **settings)
sampling.decode = slow
model = loading.load_base(sys.argv[2], tiny_model.params())
sampling.sample(*model, tiny_model.cases(), **{settings}, unfinished=Path(sys.argv[1]))
"""


def drawn(model, file: Path | None, monkeypatch, **changes):
    """What is sampled, and how many batches were drawn for it."""
    asked = []
    decode = sampling.decode
    with monkeypatch.context() as patch:
        patch.setattr(sampling, "decode", lambda *a, **s: asked.append(1) or decode(*a, **s))
        return sample(*model, tiny_model.cases(), **{**SETTINGS, **changes}, unfinished=file), len(asked)


@pytest.fixture
def model():
    return tiny_model.with_adapter()


def test_a_killed_process_goes_on_where_it_was(tmp_path, monkeypatch) -> None:
    file, model = tmp_path / "candidates.unfinished", tiny_model.base()
    expected, batches = drawn(model, None, monkeypatch)
    script = KILLED.replace("{settings}", repr(SETTINGS))
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(tiny_model.__file__).parent), *sys.path])}
    command = [sys.executable, "-c", script, str(file), str(tiny_model.folder())]
    child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    until = time.monotonic() + 120
    while not (file.exists() and file.read_bytes().count(b"\n") >= 2) and time.monotonic() < until:
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    again, left = drawn(model, file, monkeypatch)
    assert again == expected
    assert 0 < left < batches


def test_a_line_torn_by_the_kill_is_drawn_again(tmp_path, monkeypatch, model) -> None:
    file = tmp_path / "c.unfinished"
    expected, batches = drawn(model, file, monkeypatch)
    lines = file.read_bytes().split(b"\n")
    for end in (len(lines[1]) // 2, len(lines[1]) - 1, 0):
        file.write_bytes(b"\n".join([*lines[:1], lines[1][:end]]))
        assert drawn(model, file, monkeypatch) == (expected, batches)
        assert drawn(model, file, monkeypatch) == (expected, 0)


@pytest.mark.parametrize("change", [{"seed": 4}, {"temperature": 0.9}, {"max_new_tokens": 10}, {"number": 3}])
def test_other_settings_draw_anew(change, tmp_path, monkeypatch, model) -> None:
    file = tmp_path / "c.unfinished"
    drawn(model, file, monkeypatch)
    expected, _ = drawn(model, None, monkeypatch, **change)
    again, batches = drawn(model, file, monkeypatch, **change)
    assert again == expected and batches


def test_another_policy_draws_anew(tmp_path, monkeypatch, model) -> None:
    file = tmp_path / "c.unfinished"
    _, batches = drawn(model, file, monkeypatch)
    tiny_model.perturb(model[0], seed=1)  # the same adapter by name, as after a step of training
    expected, _ = drawn(model, None, monkeypatch)
    assert drawn(model, file, monkeypatch) == (expected, batches)
