"""Evidence for a case: how probable each herb is, why, and the answer that may hope for most agreement."""

from tcm.evidence.expectation import CaseEvidence, Evidence
from tcm.evidence.mixture import PARTS, Weights
