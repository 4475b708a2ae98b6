"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = Path(os.environ.get("TCM_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def mtcmb_dir() -> Path:
    """Folder with the MTCMB files; tests that need them skip where it is absent."""
    folder = SHARED_DATA / "mtcmb"
    if not (folder / "TCM-FRD.jsonl").exists():
        pytest.skip(f"real cases are not at {folder}; set TCM_DATA to the folder that holds mtcmb/")
    return folder


@pytest.fixture(scope="session")
def tcmeval_path() -> Path:
    """The TCMEval-SDT training file; tests that need it skip where it is absent."""
    path = SHARED_DATA / "tcmeval-sdt" / "Train_TCM_Data_v1.json"
    if not path.exists():
        pytest.skip(f"real cases are not at {path}; set TCM_DATA to the folder that holds tcmeval-sdt/")
    return path


@pytest.fixture(scope="session")
def best4sdt_path() -> Path:
    """The TCM-BEST4SDT records; tests that need them skip where they are absent."""
    path = SHARED_DATA / "best4sdt" / "TCM_SDT_192.json"
    if not path.exists():
        pytest.skip(f"real cases are not at {path}; set TCM_DATA to the folder that holds best4sdt/")
    return path


@pytest.fixture(scope="session", autouse=True)
def own_settings(tmp_path_factory) -> None:
    """The key of the pseudonyms lies in a folder of the tests, for them and for all that they start."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("settings"))
