"""What a study writes may hold texts of patients: it is the user's alone, and no library reports home."""

import subprocess
import sys
from pathlib import Path

import pytest

from tcm_rlaif.study.params import ParamsError, load


def python(code: str, folder: Path) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_files_and_folders_are_closed_to_others(tmp_path: Path) -> None:
    python(
        "from pathlib import Path; from tcm.files import write_json; from tcm_rlaif.study.stage import keep_private; "
        "keep_private(); write_json(Path('study/01_data_prep/stage.json'), {})",
        tmp_path,
    )
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "study").rglob("*")}
    assert modes == {"01_data_prep": 0o700, "stage.json": 0o600}
    assert (tmp_path / "study").stat().st_mode & 0o777 == 0o700


def test_telemetry_is_off_wherever_the_package_is_imported(tmp_path: Path) -> None:
    code = "import tcm_rlaif, huggingface_hub.constants as hub; print(hub.HF_HUB_DISABLE_TELEMETRY)"
    assert python(code, tmp_path) == "True\n"


def test_an_address_that_is_none_is_refused_without_what_stands_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('judge_base_url: ["http://zhang:p4ss@host/v1"]\n', "utf-8")
    with pytest.raises(ParamsError, match="judge_base_url: Input should be a valid string") as caught:
        load(tmp_path / "a.yaml")
    assert "p4ss" not in str(caught.value)
