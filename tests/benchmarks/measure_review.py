"""How often physicians' own prescriptions are asked about: share with a finding, by kind and by every single rule.

A question that most prescriptions of practice raise says little. Reads public cases where they lie (``TCM_DATA``, or
../shared/data). No test: run it by hand with ``python tests/benchmarks/measure_review.py --json reports/review.json``;
`./study readme` quotes that file in docs/data.md. No rule was written or changed because of these cases.
"""

import argparse
import os
from collections import Counter
from pathlib import Path

from tcm.answers.wording import case_text
from tcm.files import write_json
from tcm.invented import invent_cases
from tcm.knowledge.tables import incompatibilities, review_rules
from tcm.prescriptions import review, safety
from tcm.prescriptions.unchecked import not_checked
from tcm.sources import SOURCES

DATA = Path(os.environ.get("TCM_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
PLACES = {"best4sdt": DATA / "best4sdt" / "TCM_SDT_192.json", "mtcmb": DATA / "mtcmb"}
TABLES = {f"IC-{rule.rule}": f"{rule.group_a} with {rule.group_b}" for rule in incompatibilities()} | {
    f"REVIEW-{number}": " ".join((rule.kind, rule.herb, *rule.when[:1]))
    for number, rule in enumerate(review_rules(), 1)
}
"""Every rule that is a row of a table, with what it is about; rules of the code show only where they are broken."""


def rates(cases) -> dict[str, object]:
    """Share of prescriptions with a finding of each kind and of each rule, with any of high severity, and with a dose
    that nothing was held against."""
    kinds, rules = Counter(), Counter(dict.fromkeys(TABLES, 0))
    for case in cases:
        answer = case.answer
        found = {
            "safety": safety.audit(answer.prescription, case.patient, answer.packets, answer.usage),
            "review": review.review(answer.prescription, case_text(case), answer.usage, case.patient),
        }
        kinds.update({f"{name} {f.kind}" for name, part in found.items() for f in part})
        kinds.update(f"{name} high" for name, part in found.items() if any(f.severity == "high" for f in part))
        kinds.update(["doses not checked"] * bool(not_checked(answer.prescription, answer.usage)))
        rules.update({f.rule for part in found.values() for f in part})
    return {
        "prescriptions": len(cases),
        "kinds": {kind: round(n / len(cases), 4) for kind, n in sorted(kinds.items())},
        "rules": {
            rule: {"about": TABLES.get(rule, ""), "rate": round(n / len(cases), 4)} for rule, n in sorted(rules.items())
        },
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
        kinds = [f"  {kind}: {rate}" for kind, rate in row["kinds"].items()]
        broken = [f"    {rule} {at['about']}: {at['rate']}" for rule, at in row["rules"].items() if at["rate"]]
        print(f"{name} ({row['prescriptions']})", *kinds, *broken, sep="\n")
    if given.json:
        write_json(given.json, table)


if __name__ == "__main__":
    main()
