"""The probes read cases that no arm was trained on: fresh invented ones, or the validation and test cases."""

import pytest

from tcm.cases import read_cases, write_cases
from tcm.files import write_json
from tcm.invented import invent_cases
from tcm_rlaif.evaluation.probe_cases import probe_cases
from tcm_rlaif.study.schema import Params

SMALL = {"data_cases": 20, "data_unlabelled": 5, "base_patterns": 20, "probe_cases": 30, "data_physicians": 2}


@pytest.fixture
def data(tmp_path):
    """What 01_data_prep leaves, every second case in training."""
    cases = invent_cases(25, 0.4, 0, 20, 2)[:20]
    write_cases(tmp_path / "cases.jsonl", cases)
    places = ("train", "validation", "train", "test")
    write_json(tmp_path / "splits.json", {case.id: places[n % 4] for n, case in enumerate(cases)})
    return tmp_path


def test_invented_cases_are_fresh_ones_of_the_same_physicians(data) -> None:
    found, said = probe_cases(Params(**SMALL), data)
    known = {case.id for case in invent_cases(25, 0.4, 0, 20, 2)}
    assert found and not known & {case.id for case in found} and f"{len(found)} invented cases" in said
    assert all(case.answer for case in found)
    more = {case.id: case for case in invent_cases(55, 0.4, 0, 20, 2)}
    assert all(more[case.id] == case for case in found), "a larger number of the same stream, not another stream"


def test_a_fresh_case_that_nearly_repeats_a_case_of_the_study_is_left_out(data) -> None:
    twin = invent_cases(55, 0.4, 0, 20, 2)[30]
    cases = [*read_cases(data / "cases.jsonl"), twin.model_copy(update={"id": "twin", "patient_id": "twin"})]
    write_cases(data / "cases.jsonl", cases)
    assert twin.id not in {case.id for case in probe_cases(Params(**SMALL), data)[0]}


def test_of_other_sources_the_cases_held_out_are_read_and_no_training_case(data) -> None:
    P = Params(data_source="own", data_path="records.csv", probe_cases=20)
    found, said = probe_cases(P, data)
    assert (
        len(found) == 10 and "10 of 10 validation and test cases" in said and "nothing that it finds goes back" in said
    )
