"""What a study ran on is told by what answers, and by nothing that fails."""

import pytest

from tcm_rlaif.study import hardware


@pytest.mark.parametrize(("script", "found"), [("echo 'A GPU'", ["A GPU"]), ("echo 'no driver is loaded'; exit 9", [])])
def test_a_driver_that_fails_names_no_gpu(tmp_path, monkeypatch, script: str, found: list[str]) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert hardware.gpus() == found
