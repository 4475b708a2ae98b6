"""What a case is, and how cases are kept, cleaned and split."""

from tcm.cases.store import read_cases, read_split, read_utf8, write_cases
from tcm.cases.types import Answer, Case, CaseError, Patient, PrescriptionItem, Record, Visit, explain
