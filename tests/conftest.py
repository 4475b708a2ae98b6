"""Fixtures that several test files share, and how files are shared out where two workers run them (`./study test`)."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small models gain nothing from more, and two workers share the cores

ROOT = Path(__file__).resolve().parents[1]
STUDIES = {"test_smoke_study.py": "one", "test_small_data_study.py": "other", "test_secrets.py": "one",
           "test_cluster.py": "other", "test_due.py": "one"}  # fmt: skip
"""They start studies in this very folder, in two rows: files whose studies build the same tiny base are in one row,
which one worker runs, one file after the other."""
LONG = (*STUDIES, "test_faults.py", "test_launch.py", "test_notebook_runner.py", "test_export.py")
"""They take longest, so they begin first: neither worker waits for the other at the end."""
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


def pytest_collection_modifyitems(config, items) -> None:
    """Among several workers the longest files come first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file is run by one worker, so that what it trains once is not trained twice; in the order of the items."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return STUDIES.get(Path(file).name, file)

    config.option.loadscopereorder = False
    return Scheduling(config, log)
