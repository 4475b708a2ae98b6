"""Every parameter of a study, once: meaning, unit, range, and where its default comes from.

The defaults are not the settings of params/default.yaml, which names what feedback was found to need. Keys are flat
and begin with the name of the stage that is the first to read them (`notebooks.NOTEBOOKS`), so an arm that changes
`dpo_beta` shares every earlier stage with the other arms.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tcm_rlaif.study.keys import Float, Int, Names, key
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.schema_feedback import FeedbackParams

DEFAULT_QUESTIONS = {
    "sft - base": "what imitation of cases adds",
    "sft_dpo - sft": "what AI feedback adds after SFT",
    "dpo_only - base": "what AI feedback adds without SFT",
    "sft_dpo - dpo_only": "what SFT adds before AI feedback",
    "sft_dpo - base": "what both add",
}


class Params(FeedbackParams):
    """All parameters of one study (or, after `for_arm`, of one arm), in the order of the stages that read them."""

    # 05_evaluate
    eval_cases: Int = key(0, "use only so many test cases (0 = all)", "cases", ge=0)
    eval_max_new_tokens: Int = key(160, "longest answer", "tokens", ge=8)
    eval_temperature: Float = key(0.0, "0 = greedy; above it answers are drawn, with `candidate_top_p`", "", ge=0, le=2)
    eval_number: Int = key(1, "answers drawn for each test case, one of which is chosen", "answers", ge=1)
    eval_choice: Literal["first", "judge", "consensus"] = key(
        "judge",
        "which of several: the first (a control), the one that `judge` scores highest (best of n), or the one with the "
        "highest mean herb F1 to the others (minimum Bayes risk); one answer alone is not chosen",
        "",
        "arXiv 2401.01879, 2108.04718",
    )
    eval_batch_size: Int = key(128, "answers generated together", "answers", ge=1)

    # 06_ablation
    ablation_questions: dict[str, str] = key(
        DEFAULT_QUESTIONS,
        "`arm - arm` -> what the difference shows, declared before results; where the arms of the default are not the "
        "study's, each later arm is compared with the first",
    )
    ablation_primary: Annotated[tuple[str, ...], Names] = key(
        ("herb_f1", "judge_score", "usable"),
        "primary metrics, declared before results: what feedback is to change; the others are only shown",
        min_length=1,
    )
    ablation_family: Annotated[tuple[str, ...], Names] = key(
        (),
        "questions (`arm - arm`) whose primary metrics make the family of Holm's adjustment, declared before results; "
        "() = all",
    )
    ablation_confidence: Annotated[Float, Field(gt=0.5, lt=1)] = key(0.95, "confidence of the intervals", "share")

    # 07_probes
    probe_arms: Annotated[tuple[str, ...], Names] = key(
        (), "arms whose hidden states 07_probes reads, e.g. [base, sft, sft_dpo]; () = the study has no 07_probes"
    )
    probe_cases: Int = key(
        400,
        "invented: fresh cases that the probes read, which no arm ever saw; other sources: at most so many of the "
        "validation and test cases",
        "cases",
        ge=20,
    )
    probe_smallest_class: Int = key(8, "a label that fewer cases have is no class of a probe", "cases", ge=5)

    @model_validator(mode="after")
    def _consistent(self):
        if self.preference_training == "kto" and self.dpo_batch_size < 2:
            raise ValueError("dpo_batch_size: kto holds each answer against others of its batch; at least 2")
        if len(self.dpo_loss_weights) != len(self.dpo_loss_type):
            raise ValueError("dpo_loss_weights needs one weight for each entry of dpo_loss_type")
        if bool(self.dpo_label_smoothing) != ("robust" in self.dpo_loss_type):
            raise ValueError(
                "dpo_label_smoothing: the loss robust alone reads it, and without it is sigmoid; set both or neither"
            )
        worse = [key for key in ("judge_noise", "judge_leave_out", "judge_bias") if getattr(self, key)]
        if worse and {"openai", "transformers"} & set(self.judge):
            raise ValueError(f"{worse[0]}: judges that compute are made worse; a model judges as it does")
        if self.data_validation_share + self.data_test_share >= 1:
            raise ValueError("data_validation_share + data_test_share leave nothing to train on: lower one of them")
        if self.base_hidden % (2 * self.base_heads):
            raise ValueError(
                f"base_hidden: {self.base_hidden} is no multiple of 2 * base_heads ({2 * self.base_heads}): rotary "
                "positions need heads of an even, equal size"
            )
        if "\0" in self.data_path or len(self.data_path) > 1000:
            raise ValueError("data_path: no path of a file")
        if self.data_source != "invented" and not self.data_path:
            raise ValueError(f"data_path: tell where the {self.data_source} records lie")
        if self.study == "cache":
            raise ValueError("study: runs/cache is where base models are kept; choose another name")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: each seed once")
        if self.sizes and max(self.sizes.values()) > len(self.seeds):
            raise ValueError(f"sizes: asks for {max(self.sizes.values())} seeds; `seeds` names {len(self.seeds)}")
        if self.sft_order != "random" and self.sft_batches != "mixed":
            raise ValueError("sft_order: batches by_disease have an order of their own; change one of the two")
        if self.sft_tasks and (self.sft_order != "random" or self.sft_batches != "mixed"):
            raise ValueError("sft_tasks: its questions are no cases that sft_order or sft_batches could sort; set one")
        if self.sft_permutations and self.sft_herb_order == "prompt":
            raise ValueError("sft_permutations: sft_herb_order: prompt sorts every order alike; change one of the two")
        if self.accelerate and (self.sft_order != "random" or self.sft_batches != "mixed" or self.sft_noise_stability):
            raise ValueError("accelerate: sft_order, sft_batches and sft_noise_stability train in one process: set one")
        if self.adapter != "lora" and {"03_rlaif_labels", "04_dpo"} & {*TRAININGS[self.training]}:
            raise ValueError("adapter: preference training is with lora alone; set training: sft")
        if ({"openai", "transformers"} & set(self.judge)) and not self.judge_model:
            raise ValueError("judge_model: name the model that judges")
        if self.eval_number > 1 and not self.eval_temperature:
            raise ValueError("eval_number: greedy answers to a case are all the same; set eval_temperature, to 0.8 say")
        if self.preference_training == "grpo" and (len(self.judge) > 1 or {"openai", "transformers"} & set(self.judge)):
            raise ValueError("preference_training grpo: judge: name one that computes: rubric, evidence or format")
        # vLLM loads the base by itself, in full: not the one that the adapter was trained on
        if self.candidate_engine == "vllm" and self.base_model.lower().endswith(".gguf"):
            raise ValueError("candidate_engine: vllm samples with no .gguf file; set it to transformers")
        if self.candidate_engine == "vllm" and self.base_quantization == "4bit":
            raise ValueError(
                "candidate_engine: vllm samples with no 4bit base; set it to transformers, or base_quantization: none"
            )
        for name in ("judge", "dpo_loss_type"):
            if len({*getattr(self, name)}) < len(getattr(self, name)):
                raise ValueError(f"{name}: name each once")
        if self.preference_training == "grpo" and self.accelerate:
            raise ValueError("preference_training grpo samples while it trains, in one process: leave out accelerate")
        if self.pair_strategy == "gold_sample" and not self.judge_sees_gold:
            raise ValueError("pair_strategy gold_sample takes gold answers as chosen: say so by judge_sees_gold: true")
        return self
