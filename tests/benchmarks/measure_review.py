"""How often physicians' own prescriptions are asked about: share of prescriptions with a finding, by rule set and kind.

A question that most prescriptions of practice raise says little. Reads public cases where they lie (``TCM_DATA``, or
../shared/data). No test: run it by hand with ``python tests/benchmarks/measure_review.py``.
"""

import argparse
import os
from pathlib import Path

from tcm.answers.wording import case_text
from tcm.files import write_json
from tcm.invented import invent_cases
from tcm.prescriptions import review, safety
from tcm.sources import SOURCES

DATA = Path(os.environ.get("TCM_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
PLACES = {"best4sdt": DATA / "best4sdt" / "TCM_SDT_192.json", "mtcmb": DATA / "mtcmb"}


def rates(cases) -> dict[str, float]:
    """Share of prescriptions with a finding of each kind, and with any of high severity."""
    found = []
    for case in cases:
        answer = case.answer
        rules = safety.audit(answer.prescription, case.patient, answer.packets, answer.usage)
        asked = review.review(answer.prescription, case_text(case), answer.usage)
        found.append({f"safety {f.kind}" for f in rules} | {f"review {f.kind}" for f in asked}
                     | {f"{name} high" for name, part in (("safety", rules), ("review", asked))
                        if any(f.severity == "high" for f in part)})  # fmt: skip
    kinds = sorted(set().union(*found))
    return {
        "prescriptions": len(cases),
        **{kind: round(sum(kind in f for f in found) / len(found), 3) for kind in kinds},
    }


def main() -> None:
    """Print a table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cases = {"invented": invent_cases(200, 0.4, seed=0)}
    cases |= {name: SOURCES[name](path, {}, False, False).cases for name, path in PLACES.items() if path.exists()}
    table = {name: rates([c for c in part if c.answer and c.answer.prescription]) for name, part in cases.items()}
    for name, row in table.items():
        print(name, *(f"{kind}: {value}" for kind, value in row.items()), sep="\n  ")
    if given.json:
        write_json(given.json, table)


if __name__ == "__main__":
    main()
