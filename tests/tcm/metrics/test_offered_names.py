"""What `tcm.metrics` and `tcm.answers` offer is there by name, and who asks for names of metrics loads no reader."""

import subprocess
import sys
from importlib import import_module

import pytest

OFFERED = {
    "tcm.metrics": {
        "case": ("score_case", "summarise"),
        "catalogue": ("METRICS", "PRIMARY", "Metric"),
        "floors": ("ATTACKS", "FLOORS", "MissingFloors", "metrics_table"),
        "usable": ("FAULTS",),
    },
    "tcm.answers": {
        "labels": ("LABELS",),
        "reading": (
            *("MAX_CHARS", "REQUIRED", "ParsedAnswer", "format_valid", "missing_fields", "parse", "previous_items"),
            *("read_for", "write", "write_for"),
        ),
    },
}


@pytest.mark.parametrize("package", OFFERED)
def test_each_name_is_that_of_its_module(package: str) -> None:
    for module, names in OFFERED[package].items():
        for name in names:
            assert getattr(import_module(package), name) is getattr(import_module(f"{package}.{module}"), name)
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        import_module(package).scores  # noqa: B018


def test_names_of_metrics_and_floors_load_no_reader() -> None:
    asked = (
        "import sys; from tcm.metrics import METRICS; from tcm.metrics.floors import ATTACKS, FLOORS; "
        "assert METRICS and ATTACKS and FLOORS; print('tcm.answers.reading' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
