"""Every parameter of a study, once: meaning, unit, range, and where its default comes from.

The defaults are the embedded default study. Keys are flat and begin with the name of the stage that is the first to
read them (`notebooks.NOTEBOOKS`), so an arm that changes `dpo_beta` shares every earlier stage with the other arms.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tcm_rlaif.study.keys import OURS, Float, Int, Names, Seed, Share, key
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


DEFAULT_QUESTIONS = {
    "sft - base": "what imitation of cases adds",
    "sft_dpo - sft": "what AI feedback adds after SFT",
    "dpo_only - base": "what AI feedback adds without SFT",
    "sft_dpo - dpo_only": "what SFT adds before AI feedback",
    "sft_dpo - base": "what both add",
}


class Params(BaseModel):
    """All parameters of one study (or, after `for_arm`, of one arm)."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    # the study
    study: str = key("default", "name of the study; its files lie under runs/<study>", pattern=f"^{NAME.pattern}$")
    seeds: tuple[Seed, ...] = key(
        (0, 1, 2), "seeds of training and sampling; each arm runs once per seed", min_length=1
    )
    arms: dict[str, dict[str, Any]] = key(
        DEFAULT_ARMS, f"arm name -> what differs from this study, at most {MAX_ARM_KEYS} keys", min_length=1
    )
    training: Literal[*TRAININGS] = key(
        "sft_dpo", "which stages train; `dpo` starts from the base model", source="ablation of arXiv 2411.00897"
    )
    gpus: Int = key(1, "GPU jobs at a time where the machine has GPUs", "jobs", ge=1)

    # 00_base_model
    base_model: str = key("tiny", "`tiny` (built here), a hub id, a local folder, or a .gguf file")
    base_dtype: Literal["auto", "float32", "bfloat16"] = key(
        "auto", "compute type; auto = bfloat16 where the processor has instructions for it"
    )
    base_hidden: Int = key(192, "tiny: hidden size", "dimensions", OURS, ge=32)
    base_layers: Int = key(4, "tiny: number of layers", ge=1)
    base_heads: Int = key(4, "tiny: attention heads; key-value heads are half of them", ge=2, multiple_of=2)
    base_vocabulary: Int = key(4096, "tiny: tokenizer size", "tokens", ge=512)
    base_patterns: Int = key(
        48, "tiny: edition of the textbook it reads and invented cases are about (0 = all patterns)", "patterns", ge=0
    )
    base_steps: Int = key(
        1400,
        "tiny: pre-training steps; below about 1200 it has not yet learned which findings make which pattern",
        "steps",
        "our choice, on single questions about invented records",
        ge=1,
    )
    base_batch_size: Int = key(4, "tiny: blocks per step; small ones learn more per minute", "blocks", ge=1)
    base_block: Int = key(256, "tiny: length of a pre-training block", "tokens", ge=32)
    base_learning_rate: Float = key(1.5e-3, "tiny: peak learning rate of pre-training", gt=0, lt=1)
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
        False, "whether a study may have fewer than 8 test cases or 5 training answers; its report says so"
    )
    data_cases: Int = key(200, "invented: cases to write", "cases", ge=4)
    data_unlabelled: Int = key(
        200,
        "invented: further cases whose answers are thrown away: prompts that AI feedback alone may use",
        "cases",
        "our choice: answers are scarce, prompts are not",
        ge=0,
    )
    data_limit: Int = key(0, "other sources: use only the first so many records (0 = all)", "records", ge=0)
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
    sft_epochs: Float = key(6, "passes over the training cases", "epochs", gt=0)
    sft_batch_size: Int = key(4, "cases per forward pass", "cases", ge=1)
    sft_accumulation: Int = key(1, "forward passes that make one step", "passes", ge=1)
    sft_max_length: Int = key(768, "longest prompt + answer; a longer one is an error, never a cut", "tokens", ge=64)
    lora_rank: Int = key(16, "rank of the adapter", "", "arXiv 2106.09685; value our choice", ge=1)
    lora_alpha: Int = key(32, "scale of the adapter", "", "our choice: twice the rank", ge=1)
    lora_dropout: Share = key(0.0, "dropout on the adapter's input in SFT", "probability")

    # 03_rlaif_labels
    candidate_number: Int = key(4, "answers sampled for each prompt", "answers", ge=2)
    candidate_temperature: Float = key(0.9, "sampling temperature", "", ge=0, le=2)
    candidate_top_p: Share = key(0.95, "nucleus sampling mass", "probability", gt=0)
    candidate_max_new_tokens: Int = key(160, "longest answer", "tokens", ge=8)
    candidate_batch_size: Int = key(48, "answers sampled together", "answers", ge=1)
    candidate_prompts: Int = key(
        0, "use only so many prompts: training cases first, then those without an answer (0 = all)", "prompts", ge=0
    )
    candidate_engine: Literal["transformers", "vllm"] = key(
        "transformers", "what samples; vllm has to be installed beside, and is not covered by the tests on a GPU"
    )
    judge: Annotated[tuple[Literal["rubric", "evidence", "format", "openai", "transformers"], ...], Names] = key(
        ("rubric",),
        "who labels; `evidence` is the rubric with the agreement that training answers lead to expect; `format` is a "
        "control that sees the layout alone; more than one is a jury whose ranks are averaged",
        min_length=1,
    )
    judge_agreement_weight: Float = key(
        4.0,
        "evidence: weight of the expected herb F1 beside the rubric's score, which counts 1",
        "",
        "our choice: the best mean of patient and order agreement within 8 of 10 training parts of BEST4SDT and MTCMB",
        ge=0,
    )
    judge_mode: Literal["pointwise", "pairwise", "listwise"] = key("pointwise", "how a model judge is asked")
    judge_model: str = key("", "openai: model name; transformers: hub id, folder or .gguf file")
    judge_base_url: str = key("", "openai: address of the endpoint; empty = the client's own default")
    judge_key_variable: str = key(
        "OPENAI_API_KEY",
        "environment variable that holds the key (never the key itself)",
        pattern=r"^[A-Z][A-Z0-9_]{0,40}$",
    )
    judge_concurrency: Int = key(8, "openai: requests in flight", "requests", ge=1)
    judge_timeout_s: Float = key(60, "openai: longest wait for one reply", "seconds", gt=0)
    judge_max_retries: Int = key(4, "openai: retries of one request", "retries", ge=0)
    judge_max_requests: Int = key(5000, "budget: requests", "requests", ge=1)
    judge_max_tokens: Int = key(5_000_000, "budget: tokens, prompt and reply", "tokens", ge=1)
    judge_repeats: Int = key(1, "times each judgement is asked, for self-consistency", "times", ge=1)
    judge_sees_gold: bool = key(False, "whether the judge may read the gold answers, also those that SFT does not see")
    judge_replay_only: bool = key(False, "openai: answer from the cache alone; a miss is a counted category")
    audit_cases: Int = key(60, "cases on which the judge is audited", "cases", ge=4)
    audit_min_detection: Share = key(
        0.8,
        "lowest detection rate of any planted defect; a limit fails where the whole interval lies beyond it",
        "share",
    )
    audit_min_own_above_other: Share = key(
        0.5, "lowest share of other patients' answers below this patient's", "share", "our choice: chance"
    )
    audit_max_flip_rate: Share = key(
        0.35, "highest share of verdicts that change with the order of the answers", "share"
    )
    audit_min_kendall_tau: Annotated[Float, Field(ge=-1, le=1)] = key(
        0.1, "lowest rank agreement of score and herb F1 on training cases", "Kendall tau"
    )
    audit_max_length_correlation: Share = key(0.7, "highest |Spearman| of score and answer length", "correlation")
    audit_override: bool = key(False, "train although the audit failed (recorded in the report)")
    pair_strategy: Literal["best_worst", "best_random_lower", "best_mean_minus_2sigma", "gold_sample"] = key(
        "best_worst", "which candidates make a pair", "", "arXiv 2502.16825, 2310.01377"
    )
    pair_margin: Share = key(0.05, "lowest score difference of a pair", "score")
    pair_max_overlap: Share = key(0.9, "drop pairs whose herb sets overlap more", "Jaccard", "arXiv 2410.08847")
    pair_max_length_ratio: Float = key(3.0, "drop pairs whose lengths differ more, longer / shorter", "ratio", ge=1)
    pair_number: Int = key(2, "at most so many pairs per prompt", "pairs", ge=1)
    pair_labels: Literal["judged", "shuffled", "flipped"] = key("judged", "controls: labels shuffled or all flipped")

    # 04_dpo
    preference_training: Literal["dpo", "best_of_n", "grpo", "sft_chosen", "sft_more"] = key(
        "dpo",
        "dpo on pairs; best_of_n: SFT on each prompt's best candidate; grpo: the judge's criteria as rewards; controls "
        "with as many answer passes: sft_chosen (SFT on DPO's chosen answers), sft_more (SFT on physicians' answers)",
        "",
        "arXiv 2305.18290, 2304.06767 (RAFT), 2309.00267 with 2402.03300 (GRPO)",
    )
    preference_choice: Literal["judged", "random"] = key("judged", "best_of_n: the judge's best, or a random candidate")
    preference_rounds: Int = key(
        1, "rounds of sample, label, train, each from the newest policy; grpo: passes over the prompts", "rounds", ge=1
    )
    preference_replay: Annotated[Share, Field(lt=1)] = key(
        0.0, "best_of_n: share of a round's rows that are physicians' answers which SFT saw", "share of rows"
    )
    preference_learning_rate: Float = key(
        1.0e-3, "best_of_n, sft_more, grpo: peak learning rate; 5.0e-6 for real models", gt=0, lt=1
    )
    preference_epochs: Float = key(
        1,
        "best_of_n, sft_more: passes over the rows of a round",
        "epochs",
        "our choice: two at 1.0e-3 brought nothing over SFT on 40 fresh invented cases; not settled",
        gt=0,
    )
    preference_beta: Float = key(0.04, "grpo: weight of the KL from the policy as it came in", ge=0)
    dpo_loss_type: Annotated[tuple[Literal["sigmoid", "sft", "robust", "sigmoid_norm", "ipo"], ...], Names] = key(
        ("sigmoid",), "TRL's loss names; several are added up", "", "arXiv 2305.18290 eq. 7, 2403.00409", min_length=1
    )
    dpo_loss_weights: tuple[Float, ...] = key((1.0,), "weight of each loss", min_length=1)
    dpo_label_smoothing: Annotated[Float, Field(ge=0, lt=0.5)] = key(0.0, "share of labels assumed wrong", "share")
    dpo_beta: Float = key(0.1, "pull to the reference: larger stays nearer", "", "arXiv 2305.18290", gt=0)
    dpo_learning_rate: Float = key(
        2.0e-4,
        "peak learning rate",
        "",
        "our choice, on invented validation cases: five times as much loses quality; 5.0e-6 for real models",
        gt=0,
        lt=1,
    )
    dpo_epochs: Float = key(1, "passes over the pairs", "epochs", gt=0)
    dpo_batch_size: Int = key(4, "pairs per forward pass", "pairs", ge=1)
    dpo_accumulation: Int = key(2, "forward passes that make one step", "passes", ge=1)
    dpo_health_evaluations: Int = key(4, "health checks during training, on validation cases", "times", ge=1)
    dpo_health_cases: Int = key(16, "validation cases of one health check", "cases", ge=1)

    # 05_evaluate
    eval_cases: Int = key(0, "use only so many test cases (0 = all)", "cases", ge=0)
    eval_max_new_tokens: Int = key(160, "longest answer", "tokens", ge=8)
    eval_temperature: Float = key(0.0, "0 = greedy", "", ge=0, le=2)
    eval_batch_size: Int = key(48, "answers generated together", "answers", ge=1)

    # 06_ablation
    ablation_resamples: Int = key(2000, "resamples of a bootstrap interval or permutation test", "resamples", ge=100)
    ablation_questions: dict[str, str] = key(
        DEFAULT_QUESTIONS,
        "`arm - arm` -> what the difference shows, declared before results; where the arms of the default are not the "
        "study's, each later arm is compared with the first",
    )
    ablation_confidence: Annotated[Float, Field(gt=0.5, lt=1)] = key(0.95, "confidence of the intervals", "share")

    @model_validator(mode="after")
    def _consistent(self):
        if len(self.dpo_loss_weights) != len(self.dpo_loss_type):
            raise ValueError("dpo_loss_weights needs one weight for each entry of dpo_loss_type")
        if self.data_validation_share + self.data_test_share >= 1:
            raise ValueError("data_validation_share + data_test_share leave nothing to train on: lower one of them")
        if self.data_source != "invented" and not self.data_path:
            raise ValueError(f"data_path: tell where the {self.data_source} records lie")
        if self.study == "cache":
            raise ValueError("study: runs/cache is where base models are kept; choose another name")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: each seed once")
        if ({"openai", "transformers"} & set(self.judge)) and not self.judge_model:
            raise ValueError("judge_model: name the model that judges")
        if self.preference_training == "grpo" and (len(self.judge) > 1 or {"openai", "transformers"} & set(self.judge)):
            raise ValueError("preference_training grpo: judge: name one that computes: rubric, evidence or format")
        if self.pair_strategy == "gold_sample" and not self.judge_sees_gold:
            raise ValueError("pair_strategy gold_sample takes gold answers as chosen: say so by judge_sees_gold: true")
        return self
