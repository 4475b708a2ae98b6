"""Whether an answer could be used as it stands: it ends, reads completely, and nothing in it must stop a dispenser.

This is what feedback can change without knowing more medicine. Physicians break rules on purpose, so only findings of
high severity make an answer unusable: of the physicians' answers in TCM-BEST4SDT 74 % have a dose beyond its range and
4 % any finding of high severity; 84 % are usable, most others name a herb that no table of ours holds. Doses beyond the
range are told as an excess over the physicians' own rate.
"""

from collections.abc import Sequence
from typing import Literal

from tcm.answers import ParsedAnswer
from tcm.cases import Answer, Patient
from tcm.knowledge import resolve_herb
from tcm.metrics.sets import herb_at
from tcm.prescriptions.safety import Finding, audit

Fault = Literal[
    "unfinished", "unread_text", "no_prescription", "unknown_herb", "repeated_herb", "missing_dose", "high_finding"
]
FAULTS: tuple[Fault, ...] = Fault.__args__
"""Everything that makes an answer unusable."""


def faults(
    parsed: ParsedAnswer,
    patient: Patient,
    finished: bool | None = None,
    dosed: bool = False,
    findings: Sequence[Finding] | None = None,
) -> list[Fault]:
    """What stops an answer from being used, in the order of `FAULTS`; empty for a usable answer.

    Args:
        parsed: the answer as read, with what could not be read.
        patient: for the safety audit.
        finished: whether generation ended by itself; None (nobody knows, or nobody generated) counts as ended.
        dosed: whether every herb needs a dose; True where the physician gave each one.
        findings: of the safety audit, where the answer was audited for this patient already.

    Source:
        Our choice. One herb in two forms that stay apart (生甘草 and 炙甘草) is no repetition.
    """
    answer = parsed.answer
    names = [herb_at(herb, "canonical") for herb in answer.herbs]
    if findings is None:
        findings = audit(answer.prescription, patient, answer.packets, answer.usage)
    present: dict[Fault, bool] = {
        "unfinished": finished is False,
        "unread_text": bool(parsed.unread),
        "no_prescription": not answer.prescription,
        "unknown_herb": any(resolve_herb(herb) is None for herb in answer.herbs),
        "repeated_herb": len(set(names)) < len(names),
        "missing_dose": dosed and not every_dose(answer),
        "high_finding": any(finding.severity == "high" for finding in findings),
    }
    return [fault for fault in FAULTS if present[fault]]


def every_dose(answer: Answer) -> bool:
    """Whether each herb of a prescription has a dose."""
    return all(item.dose is not None for item in answer.prescription)


def usable(
    gold: Answer | None,
    parsed: ParsedAnswer,
    patient: Patient,
    finished: bool | None = None,
    findings: Sequence[Finding] | None = None,
) -> tuple[float | None, Sequence[Fault]]:
    """1.0 or 0.0 for an answer beside the gold answer, and its faults.

    Returns:
        (None, ()) where gold has no prescription, so that none was asked for.
    """
    if gold is not None and not gold.prescription:
        return None, ()
    found = faults(parsed, patient, finished, gold is not None and every_dose(gold), findings)
    return float(not found), found
