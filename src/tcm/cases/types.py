"""What a case is: one visit of one patient that a model has to answer, with everything known before the answer.

One English name for each Chinese field, used in code, parameters, tables and prose alike:
主诉 `chief_complaint`, 现病史 `history`, 舌 `tongue`, 脉 `pulse`, 中医诊断 `disease`, 证型 `syndrome`,
治法 `treatment_principle`, 方剂 `formula`, 处方 `prescription`, 剂 `packets`.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class CaseError(ValueError):
    """A case record that cannot be used; the message names file, line, field and the fix."""


class Record(BaseModel):
    """Base of all case types: immutable, unknown fields refused (a misspelt field must not vanish silently)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class PrescriptionItem(Record):
    """One herb of a prescription (处方).

    Args:
        herb: name as written, e.g. ``炙甘草``.
        dose: amount for one packet in ``unit``; None where none was given.
        dose_high: upper end where a range such as ``9-12g`` was written.
        unit: ``g`` or a counted unit such as 枚, 条, 片; 钱 stays 钱 (``knowledge`` converts to grams).
        note: handling written in brackets, e.g. 先煎.
    """

    herb: str = Field(min_length=1)
    dose: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    dose_high: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    unit: str = "g"
    note: str = ""


class Answer(Record):
    """A physician's or a model's answer to one visit; an empty field is a missing field.

    Args:
        packets: number of daily packets (剂/付), e.g. 7.
        usage: how to take it, e.g. 水煎服.
    """

    disease: str = ""
    syndrome: str = ""
    treatment_principle: str = ""
    formula: str = ""
    prescription: tuple[PrescriptionItem, ...] = ()
    packets: int | None = Field(default=None, gt=0)
    usage: str = ""

    @property
    def herbs(self) -> tuple[str, ...]:
        """Herb names in the order written."""
        return tuple([item.herb for item in self.prescription])


class Patient(Record):
    """Who is treated. Age in years (fractions for infants), None where unknown."""

    sex: Literal["男", "女", ""] = ""
    age: float | None = Field(default=None, ge=0, le=120)
    pregnant: bool = False

    @model_validator(mode="after")
    def _possible(self):
        if self.pregnant and self.sex == "男":
            raise ValueError("a male patient cannot be pregnant: correct `sex` or `pregnant`")
        return self


class Visit(Record):
    """What was found at one visit and, for an earlier visit, what was answered then."""

    chief_complaint: str = ""
    history: str = ""
    tongue: str = ""
    pulse: str = ""
    answer: Answer | None = None

    @property
    def findings(self) -> str:
        """All that was written down at this visit, in one string, for matching and near-duplicate search."""
        return "。".join(t.rstrip("。") for t in (self.chief_complaint, self.history, self.tongue, self.pulse) if t)


class Case(Record):
    """One visit to answer, with the visits before it and, where known, the gold answer.

    Args:
        id: unique within a study.
        source: where the record comes from, e.g. ``invented``; a kind of record follows a slash: ``best4sdt/clinical``.
        patient_id: visits of one patient share it; the split never parts them.
        earlier_visits: oldest first; each with its answer. Empty for a first visit.
        answer: the gold answer; None where the source has none.
        modifications: what the record would change for which symptom (随症加减), as written; no part of the answer.
    """

    id: str = Field(min_length=1)
    source: str = Field(min_length=1)
    patient_id: str = Field(min_length=1)
    patient: Patient = Patient()
    visit: Visit
    earlier_visits: tuple[Visit, ...] = ()
    answer: Answer | None = None
    modifications: str = ""

    @property
    def task(self) -> Literal["first_visit", "follow_up_visit"]:
        """The task this case poses."""
        return "follow_up_visit" if self.earlier_visits else "first_visit"

    @property
    def previous_answer(self) -> Answer | None:
        """The answer of the latest earlier visit: what a follow-up adjusts."""
        return self.earlier_visits[-1].answer if self.earlier_visits else None

    @model_validator(mode="after")
    def _has_input(self):
        if not self.visit.findings:
            raise ValueError("nothing to answer: give at least one of chief_complaint, history, tongue, pulse")
        return self


def explain(error: ValidationError, hide: Iterable[str] = (), whole: str = "record") -> str:
    """One phrase per wrong field, `field: what is wrong (got value)`; hidden fields show no value.

    Args:
        whole: what to call what is said of all fields together; empty = such a phrase names its field itself.
    """
    lines = []
    for e in error.errors():
        field = ".".join(str(part) for part in e["loc"]) or whole
        of_all = isinstance(e["input"], dict | BaseModel)  # which is long
        got = "" if of_all or field in hide else f" (got {str(e['input'])[:80]!r})"
        lines.append(f"{field}: {e['msg']}{got}".removeprefix(": ").replace("Value error, ", "", 1))
    return "; ".join(lines)
