"""Parameters of a study as a whole, of its base model, its cases, and of SFT (all: `schema`)."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tcm_rlaif.study.keys import OURS, Float, Int, Positive, Seed, Share, key
from tcm_rlaif.study.notebooks import TRAININGS

MAX_ARM_KEYS = 3
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # of a study: it becomes a folder


DEFAULT_ARMS: dict[str, dict[str, Any]] = {
    "base": {"training": "none"},
    "sft": {"training": "sft"},
    # an untrained policy says mostly fragments, of which the longer ones hold more of an answer: the judge's scores
    # follow length for good reason, which the audit cannot know
    "dpo_only": {"training": "dpo", "audit_override": True},
    "sft_dpo": {},
}


class SftParams(BaseModel):
    """What decides base model, cases and SFT."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    # the study
    study: str = key(
        "default", "name of the study; its files lie under runs/<study>", pattern=f"^{NAME.pattern}$", max_length=60
    )
    seeds: tuple[Seed, ...] = key(
        (0, 1, 2), "seeds of training and sampling; each arm runs once per seed", min_length=1, max_length=100
    )
    arms: dict[str, dict[str, Any]] = key(
        DEFAULT_ARMS,
        f"arm name -> what differs from this study, at most {MAX_ARM_KEYS} keys beside `training`",
        min_length=1,
        max_length=100,
    )
    arm_seeds: dict[str, Annotated[tuple[Seed, ...], Field(min_length=1)]] = key(
        {}, "arm -> those of `seeds` that it runs with, where hours are few; fewer than three show nothing for sure"
    )
    sizes: dict[Positive, Positive] = key(
        {},
        "data-size axis: number of training answers -> number of `seeds`; every arm with SFT runs once with each "
        "number (`sft_cases`), as ARM_NUMBER",
    )
    training: Literal[*TRAININGS] = key(
        "sft_dpo", "which stages train; `dpo` starts from the base model", source="ablation of arXiv 2411.00897"
    )
    gpus: Int = key(
        1, "GPU jobs at a time where the machine has GPUs; 0: no run asks a scheduler for a GPU", "jobs", ge=0
    )
    report_to: Literal["none", "tensorboard"] = key(
        "none",
        "tensorboard: losses and rewards also for TensorBoard, beside each training; moves no result (needs the "
        "package: pip install tensorboard)",
    )

    accelerate: str = key(
        "",
        "configuration of `accelerate` to train with in several processes (profiles/accelerate/ddp.yaml …); empty = in "
        "the notebook's own",
        max_length=1000,
    )

    # 00_base_model
    base_model: str = key("tiny", "`tiny` (built here), a hub id, a local folder, or a .gguf file")
    base_dtype: Literal["auto", "float32", "bfloat16"] = key(
        "auto", "compute type; auto = bfloat16 where the processor has instructions for it"
    )
    base_attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = key(
        "auto", "how attention is computed; auto = what transformers takes for the model and machine"
    )
    base_quantization: Literal["none", "4bit"] = key(
        "none", "4bit: QLoRA, on GPUs with CUDA and bitsandbytes alone", source="arXiv 2305.14314"
    )
    base_trust_remote_code: bool = key(False, "whether code that comes with a model may run")
    base_hidden: Int = key(192, "tiny: hidden size", "dimensions", OURS, ge=32, le=8192)
    base_layers: Int = key(4, "tiny: number of layers", ge=1, le=128)
    base_heads: Int = key(4, "tiny: attention heads; key-value heads are half of them", ge=2, le=128, multiple_of=2)
    base_vocabulary: Int = key(4096, "tiny: tokenizer size", "tokens", ge=512, le=200_000)
    base_patterns: Int = key(
        48, "tiny: edition of the textbook it reads and invented cases are about (0 = all patterns)", "patterns", ge=0
    )
    base_steps: Int = key(
        1000,
        "tiny: pre-training steps; with half as many it has not yet learned which rule 加减 a finding calls for",
        "steps",
        "our choice, on single questions about invented records",
        ge=1,
    )
    base_batch_size: Int = key(4, "tiny: blocks per step; small ones learn more per minute", "blocks", ge=1, le=4096)
    base_block: Int = key(256, "tiny: length of a pre-training block", "tokens", ge=32, le=4096)
    base_learning_rate: Float = key(
        3.0e-3, "tiny: peak learning rate of pre-training", "", "our choice, by the loss after 500 steps", gt=0, lt=1
    )
    base_seed: Seed = key(0, "tiny: seed of corpus, initial weights and pre-training")

    # 01_data_prep
    data_source: Literal["invented", "best4sdt", "mtcmb", "tcmeval_sdt", "own"] = key(
        "invented",
        "invented cases, TCM-BEST4SDT, MTCMB, TCMEval-SDT, or own records (`./study import FILE` writes these keys)",
    )
    data_path: str = key("", "file or folder of the records; a relative path starts at the project folder")
    data_columns: dict[str, str | tuple[str, ...]] = key(
        {},
        "own records: our field -> your column, or several that make it: {chief_complaint: 主诉, tongue: [舌质, 舌苔]}",
    )
    data_fill_merged: bool = key(False, "own records: fill cells that a spreadsheet merged downwards (empty below)")
    data_leave_out: bool = key(
        False, "own records: leave out patients with a record that cannot be used (counted), instead of refusing"
    )
    data_max_unread: Share = key(
        0.05,
        "own records: highest share of doses and herbs in the prescriptions that may be lost in reading",
        "share",
        "our choice: beyond it the loss in the gold answers costs as much herb F1 as arms differ by (0.02 to 0.07)",
    )
    data_allow_few: bool = key(
        False, "whether a study may have fewer than 9 test cases or 5 training answers; its report says so"
    )
    data_cases: Int = key(200, "invented: cases to write", "cases", ge=4, le=1_000_000)
    data_unlabelled: Int = key(
        200,
        "invented: further cases whose answers are thrown away: prompts that AI feedback alone may use",
        "cases",
        "our choice: answers are scarce, prompts are not",
        ge=0,
    )
    data_limit: Int = key(0, "other sources: use only the first so many records (0 = all)", "records", ge=0)
    data_physicians: Int = key(
        5,
        "invented: physicians with habits that no table holds, who see findings as mixed as in practice; 0 = answers "
        "by the book",
        "physicians",
        ge=0,
    )
    data_follow_up_share: Share = key(0.4, "invented: share of follow-up visits", "share of cases")
    data_validation_share: Share = key(0.15, "share of groups held out to watch training", "share of groups")
    data_test_share: Share = key(0.3, "share of groups opened by 05_evaluate alone", "share of groups", gt=0)
    data_near_duplicate: Share = key(
        0.8, "cases whose findings share this much of their character trigrams form one group", "Jaccard", gt=0
    )
    data_seed: Seed = key(0, "seed of the invented cases and of the split; the same for all arms and seeds")

    # 02_sft
    sft_cases: Int = key(
        0, "SFT and floors see only the first so many training cases with their answers (0 = all)", "cases", ge=0
    )
    sft_learning_rate: Float = key(
        5.0e-3, "peak learning rate", "", "our choice, on invented validation cases", gt=0, lt=1
    )
    sft_epochs: Float = key(6, "passes over the training cases", "epochs", gt=0, le=1000)
    sft_keep: Literal["last", "best"] = key(
        "last",
        "which epoch is kept: the last, or the one with the lowest validation loss (with few answers that rises while "
        "greedy answers still get better)",
        "",
        "our choice, on invented validation cases: after 12 epochs on 40 answers first visits are usable in 0.88 "
        "(last) and 0.12 (best)",
    )
    sft_batch_size: Int = key(4, "cases per forward pass", "cases", ge=1)
    sft_accumulation: Int = key(1, "forward passes that make one step", "passes", ge=1)
    sft_max_length: Int = key(768, "longest prompt + answer; a longer one is an error, never a cut", "tokens", ge=64)
    sft_followup_layout: Literal["changes", "full"] = key(
        "changes",
        "how answers at follow-ups are written: as changes of the prescription before (守上方，去…), or in full",
        "",
        "our choice, on invented validation cases",
    )
    sft_herb_order: Literal["physician", "prompt"] = key(
        "physician",
        "herbs of training answers as the physician ordered and named them, or those that the prompt lists "
        "(`prompt_herbs`) first, in its order and under its names",
        "",
        "our choice: a prescription is a set (arXiv 2407.10510)",
    )
    sft_permutations: Int = key(
        0, "each training answer also with its herbs in so many other orders; what is added takes the place of "
        "repetitions: as many steps as on the training cases alone, here and in the next three", "orders",
        "arXiv 2407.10510; value our choice", ge=0, le=50,
    )  # fmt: skip
    sft_rewritings: Int = key(
        0, "each training case also with its findings in so many other words and orders, by the table of synonyms",
        "rewritings", "arXiv 2305.07804; value our choice", ge=0, le=50,
    )  # fmt: skip
    sft_invented: Int = key(
        0, "invented cases about all patterns beside the training cases", "cases",
        "arXiv 2305.07804; value our choice", ge=0,
    )  # fmt: skip
    sft_tasks: Int = key(
        0, "questions in other forms about each training case and the tables: which syndrome, which formula, one of "
        "four, is this pair allowed, what changes", "questions", "arXiv 2407.19705; value our choice", ge=0, le=6,
    )  # fmt: skip
    sft_order: Literal["random", "competence", "boundary"] = key(
        "random",
        "order of the training cases: random, from easy to hard as competence grows, or after each epoch what lies at "
        "the boundary of what the model can do",
        "",
        "arXiv 2206.14579, 2203.02753",
    )
    sft_batches: Literal["mixed", "by_disease"] = key(
        "mixed", "by_disease: each batch is of one disease, and every disease as likely", "", "arXiv 2203.04904"
    )
    sft_noise_stability: Float = key(
        0.0, "weight of the penalty on what noise at a lower layer changes in the layers above; 0 = none", "",
        "arXiv 2107.04835; value our choice", ge=0,
    )  # fmt: skip
    sft_noise_layer: Int = key(
        1, "the layer whose output gets the noise, counted from 1", "layer", "arXiv 2107.04835; value our choice", ge=1
    )
    sft_textbook_passes: Int = key(
        0, "passes over text written from all tables that the adapter reads before the cases", "passes",
        "arXiv 2311.01786; value our choice", ge=0,
    )  # fmt: skip
    prompt_patterns: Int = key(
        0, "patterns of the tables that fit a case best, with formula, in its prompt, in training and at the test",
        "patterns", ge=0, le=20,
    )  # fmt: skip
    prompt_cases: Int = key(
        0, "most similar training cases with their answers (as far as SFT sees them) in each prompt", "cases",
        "arXiv 2602.22828 for retrieval; value our choice", ge=0, le=15,
    )  # fmt: skip
    prompt_herbs: Int = key(
        0, "likeliest herbs under all evidence, with usual doses, in each prompt", "herbs", ge=0, le=40
    )
    adapter: Literal["lora", "prompt", "prefix"] = key(
        "lora",
        "what SFT trains on the frozen model: low-rank matrices, learned tokens before the prompt, or their keys and "
        "values in every layer",
        "",
        "arXiv 2106.09685, 2104.08691, 2101.00190",
    )
    adapter_tokens: Int = key(16, "learned tokens of a prompt or prefix", "tokens", ge=1, le=512)
    lora_rank: Int = key(16, "rank of the adapter", "", "arXiv 2106.09685; value our choice", ge=1)
    lora_alpha: Int = key(32, "scale of the adapter", "", "our choice: twice the rank", ge=1)
    lora_dropout: Share = key(0.0, "dropout on the adapter's input in SFT", "probability")
