"""The table on carrying over says what `reports/carry_over.json` holds, and claims only what intervals show."""

from tcm_rlaif.report import measured


def cell(mean: float, half: float) -> dict:
    return {"mean": mean, "low": mean - half, "high": mean + half, "by_seed": [mean], "n": 40}


def rows(arm: str, away: float, beside: float, added: float | None = None) -> list[dict]:
    own = {"arm": arm, "away": cell(away, 0.05), "beside home": cell(beside, 0.02)}
    if added is not None:
        own["over the start"] = cell(added, 0.02)
    return [{"metric": "herb_f1", **own}, {"metric": "usable", **own, "away": cell(0.9, 0.01)}]


FOUND = {"east to west": {
    "trained on": "east", "tested on": "west", "answers": 30, "cases": 40, "left out": 2, "base": "tiny",
    "rows": [
        *rows("sft", 0.30, -0.10), *rows("sft_dpo", 0.35, -0.01, 0.05), *rows("random_choice", 0.29, -0.03, -0.01),
    ],
    "floors": {"popularity": {"herb_f1": 0.25}, "gold": {"herb_f1": 1.0}, "expert": {"herb_f1": 0.5}},
}}  # fmt: skip


def test_the_table_and_the_sentence_come_from_the_file() -> None:
    text = measured.carry_over(FOUND)
    assert "| tiny | east | west | sft | 0.300 [0.250, 0.350] | -0.100 [-0.120, -0.080] | – |" in text
    assert (
        "| tiny | east | west | sft_dpo | 0.350 [0.300, 0.400] | -0.010 [-0.030, +0.010] | +0.050 [+0.030, +0.070] |"
        in text
    )
    assert text.endswith(
        "From east to west (30 answers, 40 test cases, 2 left out as too like those learned from): floors made of the "
        "cases learned from have popularity 0.250, expert 0.500; clearly below the same arm trained there: sft, "
        "random_choice; feedback clearly adds: sft_dpo."
    )


def test_an_arm_that_was_not_trained_there_has_nothing_to_stand_beside() -> None:
    part = FOUND["east to west"]
    alone = [{key: value for key, value in row.items() if key != "beside home"} for row in part["rows"]]
    text = measured.carry_over({"east to west": part | {"rows": alone, "base": "models/Qwen-0.5B"}})
    assert "| Qwen-0.5B | east | west | sft | 0.300 [0.250, 0.350] | – | – |" in text
    assert text.endswith("expert 0.500; feedback clearly adds: sft_dpo.")
