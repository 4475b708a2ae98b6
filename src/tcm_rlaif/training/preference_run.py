"""Preference training under watch: DPO or its control, in one round or several, with the health panel."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm.cases import Case, read_split
from tcm_rlaif.feedback import candidates, labels
from tcm_rlaif.feedback.judges import COMPUTED, make_judges
from tcm_rlaif.feedback.pairs import pairs_of
from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.study.stage import Stage
from tcm_rlaif.training import adapters, dpo, proofs, sft_chosen
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.health import HealthPanel

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

METHODS = {"dpo": dpo, "sft_chosen": sft_chosen}
"""`preference_training` -> the module of a way to learn from preference pairs: its `trainer` and its `steps`."""

WATCHED_PAIRS = 24  # pairs whose log-probabilities the panel follows; our choice: enough for a mean, cheap to read


class PreferenceRun:
    """One preference training, from the pairs to the saved adapter.

    Args:
        model: base model, or base with a trainable SFT adapter; it becomes the policy and, frozen, the reference.
        pairs: rows in TRL's conversational preference format.
        watched: cases that the health panel answers, never test cases.
    """

    def __init__(
        self, model, tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[dict], watched: Sequence[Case], stage: Stage
    ):
        self.tokenizer, self.pairs, self.watched, self.stage, self.P = tokenizer, list(pairs), watched, stage, stage.P
        self.rounds: list[dict[str, Any]] = []
        self.trainer, self.steps = None, 0
        if self.pairs:
            self._prepare(model, round_number=1)
        else:  # nothing to learn from: the policy passes through as it is, and the report says so
            self.model = adapters.with_adapter(model, self.P)
            self.panel = self._panel()

    def _prepare(self, model, round_number: int) -> None:
        folder = self.stage.folder / f"round{round_number}"
        settings = {"seed": self.stage.seed, "folder": folder}
        method = METHODS[self.P.preference_training]
        self.trainer = method.trainer(model, self.tokenizer, self.pairs, self.P, **settings)
        self.steps = method.steps(self.P, len(self.pairs))
        self.model: PeftModel = self.trainer.model
        self.panel = self._panel()
        self.trainer.add_callback(self.panel.callback(self.steps))

    def _panel(self) -> HealthPanel:
        pairs = self.pairs[:WATCHED_PAIRS]
        return HealthPanel(self.model, self.tokenizer, self.watched, pairs, self.score, self.P, self.stage.seed)

    @cached_property
    def score(self) -> Callable[[Case, str], float]:
        """What the panel scores answers by: the first judge that computes, or the rubric where a model judges alone."""
        name = next((name for name in self.P.judge if name in COMPUTED), "rubric")
        P = self.P.model_copy(update={"judge": (name,)})
        (judge,) = make_judges(P, read_split(self.stage.inputs["data"], "train"))
        return judge.score

    def first_loss(self) -> dict[str, float | None]:
        """Loss and margin before the first step; None where no DPO is trained (no pair, or the control)."""
        if self.trainer and self.P.preference_training == "dpo":
            return proofs.first_loss(self.trainer)
        return {"loss": None, "margin": None}

    def both_losses(self) -> tuple[float, float]:
        """The sigmoid DPO loss of the first pairs twice: by `answer_logps` in a few lines of ours, and by the trainer.

        Returns:
            Ours and the trainer's; they differ by the rounding of the compute type.
        """
        watched = len(self.panel.pairs) // 2
        half = min(4, watched)
        batch = self.panel.pairs[:half] + self.panel.pairs[watched : watched + half]
        policy, _ = answer_logps(self.model, self.tokenizer, batch)
        with self.panel.as_reference():
            reference, _ = answer_logps(self.model, self.tokenizer, batch)
        ratio = [p - r for p, r in zip(policy, reference, strict=True)]
        ours = [
            math.log1p(math.exp(-self.P.dpo_beta * (c - r))) for c, r in zip(ratio[:half], ratio[half:], strict=True)
        ]
        return sum(ours) / half, proofs.batch_loss(self.trainer, half)["loss"]

    def train(self) -> list[dict[str, float]]:
        """Train all rounds; from the second on the current policy samples, its answers are judged and trained on.

        Returns:
            The log of all rounds, with `round`.
        """
        if not self.trainer:
            self.panel.check(0)
            return []
        log = []
        for number in range(1, self.P.dpo_rounds + 1):
            if number > 1:
                self._next_round(number)
            log += [{**row, "round": number} for row in run(self.trainer)]
            self.rounds.append({"round": number, "pairs": len(self.pairs), "steps": self.trainer.state.global_step})
        return log

    def _next_round(self, number: int) -> None:
        self.panel.restore()
        training_cases = read_split(self.stage.inputs["data"], "train")
        cases = candidates.prompted(self.stage.inputs["data"], self.P)
        folder = self.stage.folder / f"round{number}"
        folder.mkdir(exist_ok=True)
        seed = self.stage.seed + 1000 * number  # fresh draws: the same seed would repeat the answers of round one
        items, _ = candidates.sample_candidates(
            self.model.eval(), self.tokenizer, cases, self.P, seed, folder / "candidates.jsonl"
        )
        report = labels.judge(make_judges(self.P, training_cases), items, self.P, folder)
        found = pairs_of(items, report.verdicts, self.P, seed)
        if not found.rows:
            raise ValueError(f"round {number} has no pair left: lower pair_margin or set dpo_rounds to {number - 1}")
        self.pairs = found.rows
        if "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")  # the reference of this round is the policy as it is now
        self._prepare(self.model, number)

    def save(self, folder: Path) -> "PeftModel":
        """Save the adapter (without the reference copy).

        Returns:
            The policy in evaluation mode.
        """
        self.model.save_pretrained(folder, selected_adapters=["default"])
        return adapters.trained(self.trainer) if self.trainer else self.model.eval()
