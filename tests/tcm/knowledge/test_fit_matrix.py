"""Fits of many cases at once are those of one case, and wordings that the tables lack still lead to a pattern."""

import numpy as np

from tcm.cases import Case, Patient, Visit
from tcm.invented.cases import invent_cases
from tcm.knowledge import patterns
from tcm.knowledge.fit_matrix import sign_fits, wording_fits
from tcm.knowledge.matching import age_group, findings_text, fits


def case(history: str, **patient) -> Case:
    return Case(
        id="1", source="own", patient_id="1", patient=Patient(**patient), visit=Visit(history=history), answer=None
    )


def test_many_cases_fit_as_each_does_alone():
    cases = [*invent_cases(40, 0.5, seed=5), case("患者来诊"), case("月经提前，经量多", sex="男", age=30)]
    alone = [fits(findings_text(c), c.patient.sex, age_group(c.patient.age)) for c in cases]
    assert np.allclose(sign_fits(cases), alone)


def test_patterns_of_the_other_sex_and_age_fit_nobody():
    found = wording_fits([case("月经提前，经量多，经色淡红", sex="男", age=30)])[0]
    assert found.max() == 1 and all(found[n] == 0 for n, p in enumerate(patterns()) if "女" in p.sex)


def test_findings_that_the_tables_do_not_know_by_name_still_find_their_disease():
    book = patterns()[::7]
    cut = [case("，".join(f"{s[:2]}有{s[2:]}" for s in (*p.key_symptoms, *p.other_symptoms))) for p in book]
    found = [[patterns()[n].disease for n in np.argsort(-row)[:5]] for row in wording_fits(cut)]
    right = np.mean([p.disease in names for p, names in zip(book, found, strict=True)])
    by_name = [[patterns()[n].disease for n in np.argsort(-row)[:5]] for row in sign_fits(cut)]
    assert right > 0.9 > np.mean([p.disease in names for p, names in zip(book, by_name, strict=True)])
