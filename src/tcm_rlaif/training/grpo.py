"""Direct RLAIF (arXiv 2309.00267): the judge's score is the reward, by TRL's GRPO trainer (arXiv 2402.03300).

Each criterion of the judge is a reward of its own, what it adds to the score, so that their sum is the score and the
log shows which one moved. The answers of a step are sampled from the policy of that step, `candidate_number` a prompt.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import cycle, islice
from pathlib import Path

from tcm.cases import Case
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.feedback.pairs import RowSet, funnel
from tcm_rlaif.models import chat
from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, Tokenizer, Trainer
from tcm_rlaif.training import economy
from tcm_rlaif.training.adapters import lora, missing
from tcm_rlaif.training.arguments import arguments, on_one_gpu


def rows(feedback: Feedback, P: Params, seed: int) -> RowSet:
    """The prompts, the first ones twice where the last step would lack some; answers are sampled while it trains."""
    asked, more = len(feedback.items), -len(feedback.items) % prompts_of_a_step(P)
    cases = islice(cycle([item.case for item in feedback.items]), asked + more)
    counts = Counter({"each once": asked, "again, to fill the last step": more})
    found = [{"prompt": feedback.prompter.messages(case), "case_id": case.id} for case in cases]
    return RowSet(found, funnel("prompts", "all", counts))


def rewards(judge: RubricJudge, cases: Iterable[Case]) -> list[Callable[..., list[float]]]:
    """One reward function for each criterion that counts for the judge: what it adds to the score of an answer.

    A criterion that does not apply to a case (`continuity` at a first visit) adds 0.
    """
    of = {case.id: case for case in cases}

    @cache
    def parts(case_id: str, text: str) -> Mapping[str, float]:
        return judge.parts(judge.criteria(of[case_id], text))

    def reward(name: str) -> Callable[..., list[float]]:
        def function(completions: Sequence[list[dict[str, str]]], case_id: Sequence[str], **_) -> list[float]:
            texts = [message[0]["content"].strip() for message in completions]
            return [parts(of_case, text).get(name, 0.0) for of_case, text in zip(case_id, texts, strict=True)]

        function.__name__ = name
        return function

    names: dict[str, float] = {}
    asked = [Question("pointwise", case, ("",)) for case in of.values()]
    judge.ask(asked, lambda _, reply: names.update(judge.parts(reply.criteria)))
    return [reward(name) for name in names]


def trainer(
    model: Model,
    tokenizer: Tokenizer,
    found: Sequence[dict],
    P: Params,
    *,
    seed: int,
    folder: Path,
    judge: RubricJudge,
    cases: Iterable[Case],
) -> Trainer:
    """TRL's GRPO trainer; every answer is used for one step only, so none is off-policy.

    Args:
        found: as of `rows`.
        judge: one that computes.
        cases: those that the rows ask.
    """
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    economy.of_trl()
    asked = [{**row, "prompt": chat.fitted(tokenizer, row["prompt"])} for row in found]
    answers = P.candidate_number * P.dpo_batch_size
    longest = P.candidate_max_new_tokens + max(len(chat.prompt_tokens(tokenizer, row["prompt"])) for row in found)
    settings = on_one_gpu(
        GRPOConfig(
            **arguments(P, seed, folder, "grpo", steps(P, len(found))),
            save_strategy="no",
            per_device_train_batch_size=answers,
            gradient_accumulation_steps=P.dpo_accumulation,
            num_train_epochs=P.preference_rounds,
            learning_rate=P.preference_learning_rate,
            beta=P.preference_beta,
            num_generations=P.candidate_number,
            temperature=P.candidate_temperature,
            top_p=P.candidate_top_p,
            max_completion_length=P.candidate_max_new_tokens,
            pad_to_multiple_of=PAD_TO,
            activation_checkpointing=economy.checkpointing(model, answers * (longest + PAD_TO), P),
            chat_template_kwargs=chat.RENDERING,
        )
    )
    return GRPOTrainer(
        model,
        rewards(judge, cases),
        settings,
        train_dataset=Dataset.from_list(asked),
        processing_class=tokenizer,
        peft_config=missing(model, lora(P)),
    )


def prompts_of_a_step(P: Params) -> int:
    """Prompts whose answers make one step."""
    return P.dpo_batch_size * P.dpo_accumulation


def steps(P: Params, number: int) -> int:
    """Optimiser steps on so many rows: as many passes over the prompts, and answers sampled, as other ways' rounds."""
    return number // prompts_of_a_step(P) * P.preference_rounds
