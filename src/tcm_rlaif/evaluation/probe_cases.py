"""Which cases the probes read: cases that no arm was trained on, with labels that are never trained into a model."""

from pathlib import Path

from tcm.cases import Case, read_cases, read_split
from tcm.cases.splits import groups
from tcm.invented import invent_cases
from tcm_rlaif.study.schema import Params


def probe_cases(P: Params, data: Path) -> tuple[list[Case], str]:
    """The cases to probe, and what to say of them.

    Invented: further cases of the same physicians, which the study never held, without those that share a group with a
    case of the study. Other sources: validation and test cases.

    Args:
        P: the study's parameters.
        data: folder of the run of 01_data_prep.

    Returns:
        At most `probe_cases` cases with answers, and a sentence.

    Source:
        Our choice. A case whose answer an arm was trained on would show what was learned by heart.
    """
    if P.data_source == "invented":
        before = P.data_cases + P.data_unlabelled
        how = (P.data_follow_up_share, P.data_seed, P.base_patterns, P.data_physicians)
        fresh, held = invent_cases(before + P.probe_cases, *how)[before:], read_cases(data / "cases.jsonl")
        group = groups([*held, *fresh], P.data_near_duplicate)
        taken = set(group[: len(held)])
        kept = [case for case, number in zip(fresh, group[len(held) :], strict=True) if number not in taken]
        return kept, (
            f"{len(kept)} invented cases by the same physicians, written for the probes; no arm ever saw one "
            f"({len(fresh) - len(kept)} more were left out, being near-duplicates of cases of the study)."
        )
    found = [case for name in ("validation", "test") for case in read_split(data, name)]
    kept = [case for case in found if case.answer][: P.probe_cases]
    return kept, (
        f"{len(kept)} of {len(found)} validation and test cases. The test split was answered and scored before this "
        "notebook; nothing that it finds goes back into a model, a setting or a table of the ablation."
    )
