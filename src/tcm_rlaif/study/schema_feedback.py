"""Parameters of AI feedback: candidates, judge, audit, pairs, and the training on them (all: `schema`)."""

from typing import Annotated, Literal

from pydantic import Field

from tcm_rlaif.study.keys import Float, Int, Names, Share, key
from tcm_rlaif.study.schema_sft import SftParams


class FeedbackParams(SftParams):
    """What decides AI feedback."""

    # 03_rlaif_labels
    candidate_number: Int = key(4, "answers sampled for each prompt", "answers", ge=2)
    candidate_temperature: Float = key(0.9, "sampling temperature", "", ge=0, le=2)
    candidate_top_p: Share = key(0.95, "nucleus sampling mass", "probability", gt=0)
    candidate_max_new_tokens: Int = key(160, "longest answer", "tokens", ge=8)
    candidate_end_at_loop: bool = key(
        False,
        "an answer that names a herb for the third time ends before the herbs that it names again, in candidates and "
        "at the test: a small model goes on so to its longest answer",
        "",
        "our choice; against repetition in training: `sft_permutations`",
    )
    candidate_batch_size: Int = key(
        128, "answers sampled together", "answers", "our choice: 256 are no faster on a processor and take more", ge=1
    )
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
        "our choice: the best mean of patient and order agreement within 8 of 10 training parts of BEST4SDT and MTCMB, "
        "measured before severe safety findings took of the whole score",
        ge=0,
    )
    judge_answers: Int = key(
        0, "evidence: it knows only the first so many of the training answers that SFT sees (0 = all)", "answers", ge=0
    )
    judge_noise: Share = key(0.0, "a judge made worse: share of prompts whose scores are drawn by lot", "share")
    judge_leave_out: Literal[
        "", "agreement", "coverage", "coherence", "safety", "dose", "format", "repetition", "continuity"
    ] = key("", "a judge made worse: the criterion that it does not know")
    judge_pattern_share: Share = key(
        1.0, "evidence made worse: share of the tables' patterns that may testify, drawn by lot; its rubric keeps all"
    )
    judge_bias: Float = key(
        0.0, "a judge made worse: weight of the number of herbs beside its own score, which counts 1", ge=0
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
    judge_max_requests: Int = key(
        5000,
        "budget of each run that asks (one arm, seed and round), however often it is started: requests",
        "requests",
        ge=1,
    )
    judge_max_tokens: Int = key(5_000_000, "likewise: tokens, prompt and reply", "tokens", ge=1)
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
    preference_training: Literal["dpo", "kto", "best_of_n", "grpo", "sft_chosen", "sft_more"] = key(
        "dpo",
        "dpo on pairs; kto: their answers one by one, good or bad; best_of_n: SFT on each prompt's best candidate; "
        "grpo: the judge's criteria as rewards; controls with as many answer passes: sft_chosen (SFT on DPO's chosen "
        "answers), sft_more (SFT on physicians' answers)",
        "",
        "arXiv 2305.18290, 2402.01306 (KTO), 2304.06767 (RAFT), 2309.00267 with 2402.03300 (GRPO)",
    )
    preference_choice: Literal["judged", "random", "written"] = key(
        "judged",
        "best_of_n: the judge's best, or a random candidate, or the answer that the judge `evidence` writes itself",
        "",
        "written: our choice, as answers revised by AI feedback before SFT on them in arXiv 2212.08073",
    )
    preference_rounds: Int = key(
        1, "rounds of sample, label, train, each from the newest policy; grpo: passes over the prompts", "rounds", ge=1
    )
    preference_replay: Annotated[Share, Field(lt=1)] = key(
        0.3,
        "best_of_n: share of a round's rows that are physicians' answers which SFT saw",
        "share of rows",
        "our choice, on 150 fresh invented cases: without it fewer answers are usable",
    )
    preference_learning_rate: Float = key(
        5.0e-3,
        "best_of_n, sft_more, grpo: peak learning rate; 1.0e-4 for a real model of 0.5B, less for larger ones",
        "",
        "our choice, that of SFT: on 150 fresh invented cases 1.0e-3 moved nothing",
        gt=0,
        lt=1,
    )
    preference_epochs: Float = key(
        2,
        "best_of_n, sft_more: passes over the rows of a round",
        "epochs",
        "our choice, on 200 fresh invented cases, one seed, candidates at temperature 0.5: judge's score +0.023 "
        "[+0.013, +0.035], herb F1 +0.039 [+0.019, +0.063]",
        gt=0,
        le=1000,
    )
    preference_beta: Float = key(0.04, "grpo: weight of the KL from the policy as it came in", ge=0)
    dpo_loss_type: Annotated[tuple[Literal["sigmoid", "sft", "robust", "sigmoid_norm", "ipo"], ...], Names] = key(
        ("sigmoid",),
        "TRL's loss names; several are added up: with sft, the chosen answers stay likely",
        "",
        "arXiv 2305.18290 eq. 7, 2403.00409; sigmoid with sft: 2404.19733 eq. 1",
        min_length=1,
    )
    dpo_loss_weights: tuple[Float, ...] = key((1.0,), "weight of each loss", min_length=1)
    dpo_label_smoothing: Annotated[Float, Field(ge=0, lt=0.5)] = key(0.0, "share of labels assumed wrong", "share")
    dpo_beta: Float = key(0.1, "pull to the reference: larger stays nearer", "", "arXiv 2305.18290", gt=0)
    dpo_learning_rate: Float = key(
        2.0e-4,
        "peak learning rate",
        "",
        "our choice, on invented validation cases: five times as much loses quality; 5.0e-5 for 0.5B, 5.0e-6 for 7B",
        gt=0,
        lt=1,
    )
    dpo_epochs: Float = key(1, "passes over the pairs", "epochs", gt=0, le=1000)
    dpo_batch_size: Int = key(4, "pairs per forward pass", "pairs", ge=1)
    dpo_accumulation: Int = key(2, "forward passes that make one step", "passes", ge=1)
    dpo_health_evaluations: Int = key(4, "health checks during training, on validation cases", "times", ge=1)
    dpo_health_cases: Int = key(16, "validation cases answered at one health check, and pairs followed", "cases", ge=1)
