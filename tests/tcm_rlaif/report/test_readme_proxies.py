"""The table on similar cases says what `reports/proxies.json` holds, and calls better or worse what intervals show."""

from tcm_rlaif.report import measured


def row(how: str, key: str, mean: float, gain: float = 0.0, low: float = 0.0, high: float = 0.0) -> dict:
    return {"alike by": how, "measure": key, "mean": mean, "gain over trigrams": gain, "low": low, "high": high, "n": 9}


ROWS = [
    row("trigrams", "syndrome_f1", 0.25),
    row("proxies", "syndrome_f1", 0.375, 0.125, 0.05, 0.2),
    row("trigrams", "herb_f1", 0.5),
    row("proxies", "herb_f1", 0.4, -0.1, -0.2, -0.05),
]
FOUND = {"tiny": {"own": {"cases": 9, "layer": 3, "layers": 4, "rows": ROWS}}}


def test_the_table_and_the_verdict_come_from_the_file() -> None:
    text = measured.proxies(FOUND)
    assert "| tiny | own (9) | trigrams | 0.250 | 0.500 |" in text
    assert "| tiny | own (9) | proxies | 0.375 (+0.125 [+0.050, +0.200]) | 0.400 (-0.100 [-0.200, -0.050]) |" in text
    assert "better: syndrome_f1 of own (tiny); worse: herb_f1 of own (tiny)." in text


def test_an_interval_that_holds_0_is_no_difference() -> None:
    rows = [row(how, key, 0.3, 0.1, -0.1, 0.2) for how in ("trigrams", "proxies") for key in ("syndrome_f1", "herb_f1")]
    found = {"tiny": {"own": {"cases": 9, "rows": rows}}}
    assert measured.proxies(found).endswith("no clear difference: syndrome_f1 of own (tiny), herb_f1 of own (tiny).")
