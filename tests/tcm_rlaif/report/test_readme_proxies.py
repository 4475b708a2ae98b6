"""The table on similar cases says what `reports/proxies.json` holds, and calls better or worse what intervals show."""

import json

from tcm_rlaif.report import measured, readme


def row(how: str, key: str, mean: float, gain: float = 0.0, low: float = 0.0, high: float = 0.0) -> dict:
    return {"alike by": how, "measure": key, "mean": mean, "gain over trigrams": gain, "low": low, "high": high, "n": 9}


ROWS = [
    row("trigrams", "syndrome_f1", 0.25),
    row("proxies", "syndrome_f1", 0.375, 0.125, 0.05, 0.2),
    row("trigrams", "herb_f1", 0.5),
    row("proxies", "herb_f1", 0.4, -0.1, -0.2, -0.05),
]
FOUND = {"tiny": {"own": {"cases": 9, "layer": 3, "layers": 4, "rows": ROWS}}}


def test_the_table_and_the_verdict_come_from_the_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    text = f"a\n{readme.MEASURED.format(name='proxies')}\nold\n{readme.END}\nb"
    assert readme.filled(text) == text, "without the file nothing changes"
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "proxies.json").write_text(json.dumps(FOUND), "utf-8")
    filled = readme.filled(text)
    assert "| tiny | own (9) | trigrams | 0.250 | 0.500 |" in filled and "old" not in filled
    proxies = "| tiny | own (9) | proxies | 0.375 (+0.125 [+0.050, +0.200]) | 0.400 (-0.100 [-0.200, -0.050]) |"
    assert proxies in filled
    assert "better: syndrome_f1 of own (tiny); worse: herb_f1 of own (tiny)." in filled
    assert readme.filled(filled) == filled


def test_an_interval_that_holds_0_is_no_difference() -> None:
    rows = [row(how, key, 0.3, 0.1, -0.1, 0.2) for how in ("trigrams", "proxies") for key in ("syndrome_f1", "herb_f1")]
    found = {"tiny": {"own": {"cases": 9, "rows": rows}}}
    assert measured.proxies(found).endswith("no clear difference: syndrome_f1 of own (tiny), herb_f1 of own (tiny).")
