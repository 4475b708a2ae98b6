"""Candidates: several answers of the policy to each prompt, sampled and written down."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tcm.cases import Case, read_split
from tcm.files import write_rows
from tcm_rlaif.feedback.judges.base import Item, items_of
from tcm_rlaif.models.memory import off_the_gpu
from tcm_rlaif.models.prompter import Prompter, checked
from tcm_rlaif.models.sampling import Sample, check_context, sample, sample_vllm
from tcm_rlaif.study.outputs import UNFINISHED
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, Tokenizer


def prompted(data: Path, P: Params) -> list[Case]:
    """The cases that are answered for feedback: training cases, with an answer that SFT sees or not, then the pool.

    What a judge knows of answers is another matter: `make_judges` gives it those of the first `sft_cases` only.

    Args:
        data: folder of the run of 01_data_prep.
    """
    cases = [*read_split(data, "train"), *read_split(data, "unlabelled")]
    return cases[: P.candidate_prompts or None]


def sample_candidates(
    model: Model,
    tokenizer: Tokenizer,
    cases: Sequence[Case],
    P: Params,
    seed: int,
    path: Path,
    prompter: Prompter | None = None,
) -> tuple[list[Item], list[Sample]]:
    """Sample `candidate_number` answers per case and write them down, text and token ids.

    What a killed call had drawn is not drawn again.

    Args:
        prompter: what the cases are asked with; may be left out where the parameters want no evidence in prompts.

    Returns:
        One item per case, in order, and all samples.
    """
    settings = {
        "number": P.candidate_number,
        "temperature": P.candidate_temperature,
        "top_p": P.candidate_top_p,
        "max_new_tokens": P.candidate_max_new_tokens,
        "seed": seed,
        "prompter": checked(prompter, P),
        "end_at_loop": P.candidate_end_at_loop,
    }
    if P.candidate_engine == "vllm":
        check_context(model, tokenizer, cases, P.candidate_max_new_tokens, settings["prompter"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # vLLM reads the policy as it is now from a folder
            adapted = hasattr(model, "peft_config")
            if adapted:
                model.save_pretrained(folder, selected_adapters=["default"])
            source = model.config._name_or_path
            with off_the_gpu(model):
                own_code = {"trust_remote_code": P.base_trust_remote_code}
                samples = sample_vllm(
                    source, Path(folder) if adapted else None, tokenizer, cases, **settings, **own_code
                )
    else:
        settings |= {"batch_size": P.candidate_batch_size, "unfinished": path.with_suffix(UNFINISHED)}
        samples = sample(model, tokenizer, cases, **settings, progress="sampling")
    rows = [vars(s) for s in samples]
    write_rows(path, rows)
    return items_of(cases, rows), samples
