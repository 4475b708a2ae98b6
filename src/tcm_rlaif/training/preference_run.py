"""Preference training under watch: a way to learn from feedback, in one round or several, with the health panel."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from tcm.cases import Case, read_split
from tcm_rlaif.feedback import candidates, labels
from tcm_rlaif.feedback.judges import computed_judge, make_judges
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.study.stage import Stage
from tcm_rlaif.study.types import PeftModel, Tokenizer
from tcm_rlaif.training import adapters, launch, proofs
from tcm_rlaif.training.health import HealthPanel
from tcm_rlaif.training.methods import METHODS, pairs
from tcm_rlaif.training.rounds import Clock, of_candidates, of_policy, tokens_trained


class PreferenceRun:
    """One preference training, from the feedback to the saved adapter.

    Args:
        model: base model, or base with a trainable SFT adapter; it becomes the policy and, frozen, the reference.
        feedback: judged candidates of the first round.
        watched: cases that the health panel answers, never test cases.
        sampled: what the first round's candidates cost: ``answers``, ``tokens``, seconds ``sampling`` and ``judging``.

    Attributes:
        rows: what is trained on in this round; pairs: what the panel follows, whatever the method.
        rounds: one row a round, after a row 0 for the policy as it came in.
    """

    def __init__(
        self,
        model,
        tokenizer: Tokenizer,
        feedback: Feedback,
        watched: Sequence[Case],
        stage: Stage,
        sampled: Mapping[str, float] | None = None,
    ):
        self.tokenizer, self.watched, self.stage, self.P = tokenizer, watched, stage, stage.P
        self.method = METHODS[self.P.preference_training]
        self.rounds: list[dict[str, Any]] = []
        self.first_panel: HealthPanel | None = None
        self.trainer, self.steps = None, 0
        self._learn_from(feedback, stage.seed)
        if hasattr(model, "peft_config"):
            adapters.copy_adapter(model, "start")
        if self.rows:
            self._prepare(model, round_number=1)
        else:  # nothing to learn from: the policy passes through as it is, and the report says so
            self.model = adapters.with_adapter(model, self.P)
            self.panel = self._panel()
        self.first_panel, self.sampled = self.panel, dict(sampled or {})

    def _learn_from(self, feedback: Feedback, seed: int) -> None:
        self.feedback = feedback
        self.rows = self.method.rows(feedback, self.P, seed).rows
        self.pairs = pairs(feedback, self.P, seed).rows

    def _prepare(self, model, round_number: int) -> None:
        settings: dict[str, Any] = {"seed": self.stage.seed, "folder": self.stage.folder / f"round{round_number}"}
        if self.method.online:
            settings |= {"judge": self.judge, "cases": [item.case for item in self.feedback.items]}
        before = adapters.weights(model)
        trainer = self.method.trainer(model, self.tokenizer, self.rows, self.P, **settings)
        self.trainer = adapters.in_float32(trainer, before)
        self.steps = self.method.steps(self.P, len(self.rows))
        self.model: PeftModel = self.trainer.model
        self.panel = self._panel()
        self.trainer.add_callback(self.panel.callback(self.steps))

    def _panel(self) -> HealthPanel:
        watched = self.pairs[: self.P.dpo_health_cases]
        settings = (self.watched, watched, self.score, self.P, self.stage.seed, self.feedback.prompter)
        before = self.first_panel.rows[0] if self.first_panel else None
        return HealthPanel(self.model, self.tokenizer, *settings, before)

    @cached_property
    def judge(self):
        """What the panel scores by, and what GRPO takes as its reward."""
        return computed_judge(self.P, read_split(self.stage.inputs["data"], "train"))

    @property
    def score(self) -> Callable[[Case, str], float]:
        """What the panel scores answers by."""
        return self.judge.score

    def first_loss(self) -> dict[str, float | None]:
        """Loss and margin before the first step; None where no DPO is trained (no pair, or another method)."""
        if self.trainer and self.P.preference_training == "dpo":
            return proofs.first_loss(self.trainer)
        return {"loss": None, "margin": None}

    def both_losses(self) -> tuple[float, float]:
        """The loss of the first pairs twice: by `answer_logps` in a few lines of ours, and by the trainer.

        For the losses sigmoid (DPO's own) and sft (the chosen answers' negative log-probability a token), with their
        weights.

        Returns:
            Ours and the trainer's; they differ by the rounding of the compute type.
        """
        watched = len(self.panel.pairs) // 2
        half = min(4, watched)
        batch = self.panel.pairs[:half] + self.panel.pairs[watched : watched + half]
        policy, tokens = answer_logps(self.model, self.tokenizer, batch)
        with self.panel.as_reference("ref"):
            reference, _ = answer_logps(self.model, self.tokenizer, batch)
        ratio = [p - r for p, r in zip(policy, reference, strict=True)]
        margins = [self.P.dpo_beta * (c - r) for c, r in zip(ratio[:half], ratio[half:], strict=True)]
        parts = {
            "sigmoid": fmean(math.log1p(math.exp(-margin)) for margin in margins),
            "sft": -sum(policy[:half]) / sum(tokens[:half]),
        }
        weights = zip(self.P.dpo_loss_type, self.P.dpo_loss_weights, strict=True)
        return sum(weight * parts[name] for name, weight in weights), proofs.batch_loss(self.trainer, half)["loss"]

    def train(self) -> list[dict[str, float]]:
        """Train all rounds; from the second on the newest policy samples, its answers are judged and learned from.

        A round whose answers leave nothing to learn from ends the training; the policy of the round before stands.

        Returns:
            The log of all rounds, with `round`.
        """
        if not self.trainer:
            self.panel.check(0)
            return []
        log = []
        clock, cost = Clock(), self.sampled
        for number in range(1, 2 if self.method.online else self.P.preference_rounds + 1):
            if number > 1:
                clock = Clock()
                cost = self._next_round(number, clock)
                if not self.rows:
                    print(f"round {number}: the newest policy's answers make no rows to learn from; training ends here")
                    break
            with clock.on("training"):
                found = self._train()
            log += [{**row, "round": number} for row in found]
            self._note(number, found, cost, clock)
        return log

    def _train(self) -> list[dict[str, float]]:
        """One training; in several processes the panel cannot look in between and reads before and after."""
        apart = bool(self.P.accelerate)
        if apart:
            self.panel.check(0)
        log = launch.run(self.trainer, self.stage)
        if apart:
            self.panel.check(self.trainer.state.global_step)
        return log

    def _note(self, number: int, log: Sequence[Mapping[str, Any]], cost: Mapping[str, float], clock: Clock) -> None:
        """Write down what a round was, what it cost (health checks among its training) and what the policy became."""
        if number == 1:
            self.rounds.append({"round": 0, **of_policy(self.panel.rows[0])})
        items, verdicts = self.feedback.items, self.feedback.verdicts
        fresh = of_candidates(items, verdicts) if number == 1 or self.method.asks else {}
        if self.method.online:
            answers = self.P.candidate_number * len(self.rows) * self.P.preference_rounds
            length = fmean(row["completions/mean_length"] for row in log if "completions/mean_length" in row)
            cost = {"answers": answers, "tokens": round(answers * length)}
        elif not self.method.asks:
            cost = {}  # it learns from no candidate
        made = {"rows": len(self.rows), "pairs": len(self.pairs), "steps": self.trainer.state.global_step}
        spent = {
            "answers": cost.get("answers"),
            "tokens_sampled": cost.get("tokens"),
            "tokens_trained": tokens_trained(log),
            "seconds": {**{k: cost[k] for k in ("sampling", "judging") if k in cost}, **clock.seconds},
        }
        ill = [f"step {row['step']}: {row['ill']}" for row in self.panel.rows if row.get("ill")]
        policy = {**of_policy(self.panel.kept), "ill": "; ".join(ill)}
        self.rounds.append({"round": number, "prompts": len(items), **made, **fresh, **policy, **spent})

    def _next_round(self, number: int, clock: Clock) -> dict[str, float]:
        """Sample from the newest policy, judge, and make ready to learn from that, where it makes rows.

        Returns:
            Answers and tokens sampled.
        """
        self.panel.restore()
        seed = self.stage.seed + 1000 * number  # fresh draws: the same seed would repeat the answers of round one
        cost, feedback = {}, self.feedback
        if self.method.asks:
            folder, data = self.stage.folder / f"round{number}", self.stage.inputs["data"]
            folder.mkdir(exist_ok=True)
            cases, where = candidates.prompted(data, self.P), folder / "candidates.jsonl"
            with clock.on("sampling"):
                asked = (cases, self.P, seed, where, self.feedback.prompter)
                items, samples = candidates.sample_candidates(self.model.eval(), self.tokenizer, *asked)
            with clock.on("judging"):
                judges = make_judges(self.P, read_split(data, "train"))
                verdicts = labels.judge(judges, items, self.P, folder).verdicts
            cost = {"answers": len(samples), "tokens": sum(s.tokens for s in samples)}
            feedback = replace(self.feedback, items=items, verdicts=verdicts)
        self._learn_from(feedback, seed)
        if not self.rows:
            return cost
        if "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")  # DPO's reference of this round is the policy as it is now
        self._prepare(self.model, number)
        return cost

    def save(self, folder: Path) -> PeftModel:
        """Save the adapter (without the reference copy).

        Returns:
            The policy in evaluation mode.
        """
        self.model.save_pretrained(folder, selected_adapters=["default"])
        return adapters.trained(self.trainer) if self.trainer else self.model.eval()
