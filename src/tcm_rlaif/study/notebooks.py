"""The ordered notebooks: what each is called, which parameters it is the first to read, which an arm goes through."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Notebook:
    """One of the ordered notebooks: a stage of the study.

    Args:
        role: what the stages that read its output call it.
        keys: prefixes of the parameters that it is the first to read.
        gpu: whether it is worth a GPU.
    """

    role: str
    keys: tuple[str, ...]
    gpu: bool = True


NOTEBOOKS = {
    "00_base_model": Notebook("base", ("base_",)),
    "01_data_prep": Notebook("data", ("data_",), gpu=False),
    "02_sft": Notebook("sft", ("prompt_", "sft_", "adapter", "lora_")),
    "03_rlaif_labels": Notebook("labels", ("candidate_", "judge", "audit_")),
    "04_dpo": Notebook("dpo", ("pair_", "preference_", "dpo_")),
    "05_evaluate": Notebook("evaluation", ("eval_",)),
    "06_ablation": Notebook("ablation", ("ablation_",), gpu=False),
    "07_probes": Notebook("probes", ("probe_",)),
}
"""All stages in their order; the last is part of a study that names arms to probe."""

TRAININGS = {
    "none": (),
    "sft": ("02_sft",),
    "dpo": ("03_rlaif_labels", "04_dpo"),
    "sft_dpo": ("02_sft", "03_rlaif_labels", "04_dpo"),
}
"""`training` -> the stages that an arm goes through between its data and its evaluation."""
