"""`audit`: prescriptions in, findings with rule and source out, for a text and for a list of herbs alike."""

import argparse
import json

from tcm.commands import audit
from tcm.knowledge import herbs
from tcm.knowledge.checks import mark


def run(*given) -> int:
    """Run the command as a command line gives it its arguments."""
    parser = argparse.ArgumentParser()
    audit.add_arguments(parser)
    return audit.main(parser.parse_args([str(a) for a in given]))


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def test_an_audit_lists_findings_per_row_for_text_and_for_lists(tmp_path, capsys):
    rows = write_rows(
        tmp_path / "rows.jsonl",
        [
            {"id": "a", "prescription": "附子30g（先煎），半夏9g，鑫淼10g", "pregnant": True, "age": 30},
            {"id": 2, "prescription": [{"herb": "柴胡", "dose_g": 6}, {"herb": "黄芩", "dose_g": 6}]},
            {"id": 3, "prescription": "柴胡、黄芩、柴胡"},
        ],
    )
    out = tmp_path / "audit.json"
    assert run(rows, "--json", out) == 0
    results = json.loads(out.read_text("utf-8"))
    assert [r["id"] for r in results] == ["a", 2, 3]
    kinds = [{f["kind"] for f in r["findings"]} for r in results]
    assert kinds[0] >= {"incompatibility", "overdose", "pregnancy", "unknown_herb"}
    assert kinds[1:] == [set(), {"duplicate_herb"}]
    assert {"kind", "severity", "herbs", "rule", "detail", "source", "checked"} == set(results[0]["findings"][0])
    assert "Research only" in capsys.readouterr().out


def test_a_finding_by_a_row_that_nobody_looked_up_says_so_where_it_is_printed(tmp_path, capsys):
    for seen, said in (
        ("memory", "; from memory, not looked up"),
        ("open", "; the texts leave this open"),
        ("twice", ""),
    ):
        herb = next(h for h in herbs().values() if mark(h.checked) == seen and h.dose_max_g and not h.routes)
        line = f"{herb.name}{10 * herb.dose_max_g:g}g"
        assert run(write_rows(tmp_path / "rows.jsonl", [{"id": 1, "prescription": line}])) == 0
        finding = next(text for text in capsys.readouterr().out.split("\n") if "overdose" in text)
        assert f"{herb.dose_max_g:g} g{said}  [DOSE-HI" in finding
