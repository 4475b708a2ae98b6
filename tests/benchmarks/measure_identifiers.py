"""How much of what names a person is masked, how much else is, and how fast: written as JSON.

    python tests/benchmarks/measure_identifiers.py [OUT.json]

Invented records with planted identifiers, in two halves of formats: the patterns were written against `development`
alone; `held_out` was written down before them, by the same hand, and never looked at one by one. `further` are looser
wordings that came afterwards (45 of 68 were found) and by which the patterns were mended. Public texts, where they are
(TCM_DATA), show false alarms: their masked places are printed, to be read by eye.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import planted_identifiers as planted  # noqa: E402

from tcm.cases import Case  # noqa: E402
from tcm.files import write_json  # noqa: E402
from tcm.identifiers import Account, mask_case  # noqa: E402
from tcm.identifiers.text import identifiers  # noqa: E402

RECORDS, SEED = 240, 1
DATA = Path(os.environ.get("TCM_DATA", ROOT.parent / "shared" / "data"))


def recall(records: list[planted.Record]) -> dict:
    """Share of planted identifiers that are masked whole, by kind, and share of masks that touch one."""
    given, caught, masks, right = Counter(), Counter(), 0, 0
    for record in records:
        spans = [(span.first, span.end) for span in identifiers(record.text)]
        for (kind, *_), found in zip(record.planted, planted.covered(record, spans), strict=True):
            given[kind] += 1
            caught[kind] += found
        hits = planted.hits(record, spans)
        masks, right = masks + len(hits), right + sum(hits)
    kinds = {kind: {"planted": given[kind], "recall": caught[kind] / given[kind]} for kind in sorted(given)}
    return {"records": len(records), "kinds": kinds, "precision": right / masks}


def public_texts() -> Iterator[tuple[str, list[str]]]:
    """Name and texts of the public sources that are there."""
    best, mtcmb = DATA / "best4sdt" / "TCM_SDT_192.json", DATA / "mtcmb" / "TCM-FRD.jsonl"
    if best.exists():
        rows = json.loads(best.read_text("utf-8"))
        yield "BEST4SDT", ["\n".join([row["instruction"], *row["output"]]) for row in rows]
    if mtcmb.exists():
        rows = [json.loads(line) for line in mtcmb.read_text("utf-8").splitlines()]
        yield "MTCMB", ["。".join([row["question"], *row["answer"].values()]) for row in rows]


def alarms(texts: list[str]) -> dict:
    """Share of texts and characters that are masked."""
    spans = [(text, span) for text in texts for span in identifiers(text)]
    for text, span in spans:
        before, after = text[max(0, span.first - 8) : span.first], text[span.end : span.end + 8]
        print(f"  {span.kind:16} {before!r} [{text[span.first : span.end]}] {after!r}")
    return {
        "texts": len(texts),
        "texts_masked": sum(bool(identifiers(text)) for text in texts) / len(texts),
        "characters_masked": sum(span.end - span.first for _, span in spans) / sum(map(len, texts)),
        "by_kind": dict(Counter(span.kind for _, span in spans)),
    }


def speed() -> dict:
    """Records a second of processor time, of about 140 characters with five identifiers and ten herbs each."""
    herbs = [{"herb": herb, "dose": 10} for herb in "黄芪 白术 柴胡 王不留行 何首乌 甘草 当归 茯苓 白芍 陈皮".split()]
    cases = [
        Case(id=str(i), source="own", patient_id=str(i), visit={"history": r.text}, answer={"prescription": herbs})
        for i, r in enumerate(planted.records(planted.DEVELOPMENT, 1000, SEED + 1))
    ]
    mask_case(cases[0], Account())  # the tables are read once
    started = time.process_time()
    account = Account()
    for case in cases:
        mask_case(case, account, b"k" * 32)
    return {"records": len(cases), "records_per_second": round(len(cases) / (time.process_time() - started))}


def main() -> None:
    """Measure everything; print it, and write it where asked."""
    halves = {"development": planted.DEVELOPMENT, "held_out": planted.HELD_OUT}
    result = {name: recall(planted.records(formats, RECORDS, SEED)) for name, formats in halves.items()}
    result["further"] = recall(planted.further())
    result["public_texts"] = {name: alarms(texts) for name, texts in public_texts()}
    result["speed"] = speed()
    print(json.dumps(result, ensure_ascii=False, indent=1))
    if len(sys.argv) > 1:
        write_json(Path(sys.argv[1]), result)


if __name__ == "__main__":
    main()
