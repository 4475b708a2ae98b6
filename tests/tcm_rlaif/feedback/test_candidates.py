"""Candidates are sampled as the parameters say, grouped by case, and kept in a file."""

import json

from tcm.cases import Case, Visit
from tcm_rlaif.feedback import candidates
from tcm_rlaif.feedback.judges.base import Item
from tcm_rlaif.models.sampling import Sample
from tcm_rlaif.study.schema import Params

CASES = [
    Case(id=n, source="invented", patient_id=n, visit=Visit(chief_complaint=t))
    for n, t in (("甲", "失眠3月，胁痛"), ("乙", "头晕，乏力"))
]


def test_candidates_are_grouped_by_case_and_kept_in_a_file(tmp_path, monkeypatch) -> None:
    asked = {}

    def sample(model, tokenizer, cases, **settings):
        asked.update(settings)
        return [Sample(c.id, n, f"{c.id}{n}", True, (5, 7, 2)) for c in cases for n in range(settings["number"])]

    monkeypatch.setattr(candidates, "sample", sample)  # a sampler that stands in for the model
    P = Params(candidate_number=2, candidate_temperature=0.7, candidate_top_p=0.8)
    items, samples = candidates.sample_candidates(None, None, CASES, P, seed=5, path=tmp_path / "candidates.jsonl")
    both = (True, True)
    assert items == [Item(CASES[0], ("甲0", "甲1"), both), Item(CASES[1], ("乙0", "乙1"), both)] and len(samples) == 4
    assert (asked["number"], asked["temperature"], asked["top_p"], asked["seed"]) == (2, 0.7, 0.8, 5)
    rows = [json.loads(line) for line in (tmp_path / "candidates.jsonl").read_text("utf-8").splitlines()]
    assert rows[0] == {"case_id": "甲", "number": 0, "text": "甲0", "finished": True, "ids": [5, 7, 2]}
