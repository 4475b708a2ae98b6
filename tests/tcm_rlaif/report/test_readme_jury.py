"""The paragraph on a small model as judge says what `reports/jury.json` holds, and claims only what intervals show;
a study's block tells how its arms stand to the curve and whether the judge's promise was kept."""

import json

import pytest

from tcm_rlaif.report import measured, readme


def cell(value: float, low: float, high: float) -> dict:
    return {"value": value, "low": low, "high": high, "n": 9}


def found(**gains) -> dict:
    judge = {name: cell(0.5, 0.4, 0.6) for name in ("patient", "order", "defects")} | {"cpu_seconds": 2.0}
    gain = {name: cell(0.0, -0.1, 0.1) for name in ("patient", "order", "defects")} | gains
    judges = dict.fromkeys(("transformers", "evidence", "popularity"), judge)
    return {"model": "small.gguf", "source": "best4sdt", "pointwise": {"cases": 9, "judges": judges, "gain": gain}}


@pytest.mark.parametrize(
    ("gains", "said"),
    [({}, "no difference is shown."), ({"order": cell(-0.2, -0.3, -0.1)}, "with it the jury is worse on order."),
     ({"patient": cell(0.2, 0.1, 0.3), "order": cell(-0.2, -0.3, -0.1)}, "is better on patient, worse on order.")],
)  # fmt: skip
def test_a_difference_is_claimed_only_where_the_interval_shows_it(gains: dict, said: str) -> None:
    assert measured.jury(found(**gains)).endswith(said)


def test_training_speed_is_told_beside_trls_own() -> None:
    ours, theirs = ({"rate": rate, "peak": 1.5, "rate_ratio": rate / 100, "peak_ratio": 1} for rate in (130, 100))
    ways = {"ours sft": ours, "trl sft": theirs, "ours dpo": theirs, "trl dpo": theirs}
    said = measured.speed({"a": {"rows": 8, "batch": 4, "threads": 1, "ways": ways}})
    assert "- `a`, 8 rows in batches of 4, 1 thread(s): SFT 130 tokens/s, TRL 100 (x 1.30)" in said


def test_the_block_is_filled_from_the_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    text = f"a\n{readme.MEASURED.format(name='jury')}\nold\n{readme.END}\nb"
    assert readme.filled(text) == text, "without the file nothing changes"
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "jury.json").write_text(json.dumps(found()), "utf-8")
    filled = readme.filled(text)
    assert "`small.gguf`" in filled and "old" not in filled and filled.startswith("a\n") and filled.endswith("\nb")
    assert readme.filled(filled) == filled


def test_judges_of_different_worth_stand_beside_what_they_taught() -> None:
    row = {"arm": "sound", "order": 0.8, "gain": 0.02, "low": -0.01, "high": 0.05, "seeds": 1}
    assert readme._judges([], {}) == [] == readme._judges([row, {**row, "arm": "same"}], {})
    *_, last = readme._judges([row, {**row, "arm": "worse", "order": None}], {"worse": "one seed"})
    assert last == "| worse (one seed) | – | +0.020 [-0.010, +0.050] |"


def test_a_study_tells_how_its_arms_stand_to_the_curve_and_whether_the_promise_was_kept() -> None:
    path = readme.ROOT / "reports" / "default" / "results.json"
    block = readme.render(json.loads(path.read_text("utf-8")) | {"promises": {"said": "kept"}})
    assert "below the line at 40 answers" in block and "reaches as much with 10 answers.\n- kept\n" in block
