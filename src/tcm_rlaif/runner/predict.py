"""`./study predict`: one arm of a study answers new cases, asked as in its training; each answer read and audited.

A case is one JSON object. What was found may stand in it as it is (``{"sex": "女", "age": 45, "chief_complaint": "…",
"history": "…", "tongue": "…", "pulse": "…"}``) or as in `tcm.cases.Case`; a follow-up has ``earlier_visits``, each with
its findings and its ``answer``, a text or an object. `id` may be left out.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from tcm.answers import parse, read_for
from tcm.cases import Answer, Case, CaseError, Patient, Visit, explain, read_utf8
from tcm.files import parse_json
from tcm.identifiers import Account, mask_case
from tcm.knowledge.matching import findings_text
from tcm.prescriptions import review, safety
from tcm_rlaif.runner.trained import Trained

NOTICE = "Research only, not medical advice: no answer of this model may be used to treat anyone."
EXAMPLE = '{"chief_complaint": "失眠3月"}'
FINDINGS = tuple(name for name in Visit.model_fields if name != "answer")
PATIENT = tuple(Patient.model_fields)
OWN = ("id", "source", "patient_id", "patient", "visit", "earlier_visits", "answer", "modifications")


def read_cases(text: str, where: str) -> list[Case]:
    """The cases of a text: one JSON object, a list of them, or one a line.

    Args:
        where: file, for errors.

    Raises:
        CaseError: names file, place, field and the fix.
    """
    cases: dict[str, Case] = {}
    for place, value in _values(text, where):
        case = _case(value, str(len(cases) + 1), f"{where}:{place}")
        if case.id in cases:
            raise CaseError(f"{where}:{place}: id: {case.id!r} stands already; give every case its own id")
        cases[case.id] = case
    if not cases:
        raise CaseError(f"{where}: no case in it; give a JSON object such as {EXAMPLE}")
    return list(cases.values())


def read_file(path: str, stdin: Any) -> list[Case]:
    """The cases of a file, or of standard input where the path is `-`."""
    if path == "-":
        return read_cases(stdin.read(), "standard input")
    if not Path(path).is_file():
        raise CaseError(f"{path}: no such file; give a file with a case as JSON, or - for standard input")
    return read_cases(read_utf8(Path(path)), path)


def _values(text: str, where: str) -> Iterator[tuple[str, Any]]:
    """Place and value of each case in a text."""
    try:
        whole = parse_json(text) if text.strip() else []
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) == 1 or not lines[0][1].rstrip().endswith("}"):
            raise CaseError(f"{where}: no JSON ({error}); give one object, a list, or one object a line") from None
        for number, line in lines:
            try:
                yield f"line {number}", parse_json(line)
            except ValueError as wrong:
                raise CaseError(f"{where}:line {number}: no JSON ({wrong}); give one object a line") from None
        return
    for number, value in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield f"case {number}", value


def _case(value: Any, name: str, where: str) -> Case:
    """One case of a JSON value, without the answer that may stand in it: nobody reads it here."""
    if not isinstance(value, dict):
        raise CaseError(f"{where}: a JSON {type(value).__name__}; give an object such as {EXAMPLE}")
    known = (*OWN, *FINDINGS, *PATIENT)
    for field in value:
        if field not in known:
            near = difflib.get_close_matches(field, known, 1)
            raise CaseError(f"{where}: {field}: no such field; " + (f"did you mean {near[0]!r}?" if near else
                            f"known: {', '.join((*FINDINGS, *PATIENT, 'earlier_visits', 'id'))}"))  # fmt: skip
    try:
        given = {k: value[k] for k in ("source", "modifications") if k in value}
        given["id"] = str(value.get("id", name))
        given["patient_id"] = str(value.get("patient_id", given["id"]))
        given["patient"] = {**value.get("patient", {}), **{k: value[k] for k in PATIENT if k in value}}
        visit = {k: v for k, v in value.get("visit", {}).items() if k != "answer"}
        given["visit"] = {**visit, **{k: value[k] for k in FINDINGS if k in value}}
        given["earlier_visits"] = [_earlier(one) for one in value.get("earlier_visits", ())]
        return Case.model_validate({"source": "given", **given})
    except ValidationError as error:
        raise CaseError(f"{where}: {explain(error)}") from None
    except (TypeError, AttributeError):
        raise CaseError(f"{where}: patient, visit: give objects, and earlier_visits as a list of objects") from None


def _earlier(visit: Mapping[str, Any]) -> Mapping[str, Any]:
    """An earlier visit whose answer may be a text, as records have it."""
    said = visit.get("answer")
    if not isinstance(said, str):
        return visit
    found = parse(said)
    answer = found.answer if found.answer != Answer() else parse(f"处方：{said}").answer
    return {**visit, "answer": answer}


def answer(trained: Trained, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Answer cases as the arm answers test cases: with its evidence in the prompt, and its choice of several draws.

    Identifiers are masked first, as in own records, whatever the arm was trained on.

    Returns:
        Rows for JSON: ``id``, ``arm``, ``seed``; ``text`` as the model wrote it, whether it ``finished``; ``answer``,
        what was read of it, a change of the last prescription resolved, and ``unread``, what was not; ``safety``
        (`tcm.prescriptions.safety`) and ``review``, what a pharmacist would ask; ``notice``.
    """
    from tcm_rlaif.evaluation import choice
    from tcm_rlaif.models.prompter import Prompter

    asked = [mask_case(case, Account()) for case in cases]
    known = trained.training_cases
    model, tokenizer = trained.load()
    with TemporaryDirectory() as folder:
        how = (known, trained.P, trained.seed, Path(folder), Prompter(trained.P, known))
        samples, _ = choice.answers(model, tokenizer, asked, *how)
    return [
        {"id": case.id, "arm": trained.arm, "seed": trained.seed, **judged(case, sample.text, sample.finished)}
        for case, sample in zip(cases, samples, strict=True)
    ]


def judged(case: Case, text: str, finished: bool) -> dict[str, Any]:
    """What is to be said of one answer; fields as `answer` returns them."""
    read = read_for(case, text)
    said = read.answer
    told = findings_text(case)
    return {
        "text": text,
        "finished": finished,
        "answer": said.model_dump(mode="json", exclude_defaults=True),
        "unread": list(read.unread),
        "safety": [f.model_dump() for f in safety.audit(said.prescription, case.patient, said.packets, said.usage)],
        "review": [f.model_dump() for f in review.review(said.prescription, told, said.usage, case.patient)],
        "notice": NOTICE,
    }
