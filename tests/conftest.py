"""Fixtures that several test files share, and how files are shared out where two workers run them (`./study test`)."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small models gain nothing from more, and two workers share the cores

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ("test_smoke_study.py", "test_small_data_study.py", "test_secrets.py", "test_cluster.py", "test_due.py")
"""They start studies in this very folder, some from the same tiny base: one worker runs them, one after the other."""
LONG = (*STUDIES, "test_faults.py", "test_launch.py", "test_notebook_runner.py", "test_export.py")
"""They take longest, so they begin first: neither worker waits for the other at the end."""
SHARED_DATA = Path(os.environ.get("TCM_DATA", ROOT.parent / "shared" / "data"))


def real(name: str) -> Path:
    """A file of real cases; tests that need it skip where it is absent."""
    if not (SHARED_DATA / name).exists():
        pytest.skip(f"real cases are not at {SHARED_DATA / name}; set TCM_DATA to the folder that holds {name}")
    return SHARED_DATA / name


@pytest.fixture(scope="session")
def mtcmb_dir() -> Path:
    return real("mtcmb/TCM-FRD.jsonl").parent


@pytest.fixture(scope="session")
def tcmeval_path() -> Path:
    return real("tcmeval-sdt/Train_TCM_Data_v1.json")


@pytest.fixture(scope="session")
def best4sdt_path() -> Path:
    return real("best4sdt/TCM_SDT_192.json")


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
            return "studies" if Path(file).name in STUDIES else file

    config.option.loadscopereorder = False
    return Scheduling(config, log)
