"""The health panel of preference training: what the policy does while it trains, not only what its loss says.

DPO on small data can win on its loss and lose its language: endless repetition, answers without an end, chosen and
rejected both less likely (likelihood displacement, arXiv 2410.08847). The panel answers the same validation cases
before, during and after training, stops when answers fall ill, and goes back to the last healthy weights.
"""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tcm.cases import Case
from tcm.metrics import score_case
from tcm_rlaif.models import prompts
from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.models.sampling import sample
from tcm_rlaif.study.schema import Params

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase, TrainerCallback

# Our choice: an answer is ill when it got clearly worse than before training, not when it is merely different.
WORSE_BY = {"format_valid": -0.25, "finished": -0.25, "herb_repetition": 0.2}
LENGTH_RATIO = (0.5, 2.0)
PATIENCE = 2  # ill checks in a row that stop training


class HealthPanel:
    """Watches a policy with a frozen reference on fixed validation cases and pairs.

    Args:
        model: with adapter ``default`` (trained) and, when an SFT adapter is continued, ``ref`` (frozen copy).
        cases: validation cases to answer, the same at every check.
        pairs: preference rows whose log-probabilities are followed.
        judge: score of an answer to a case, 0..1.
    """

    def __init__(
        self,
        model: "PeftModel",
        tokenizer: "PreTrainedTokenizerBase",
        cases: Sequence[Case],
        pairs: Sequence[dict],
        judge: Callable[[Case, str], float],
        P: Params,
        seed: int,
    ):
        self.model, self.tokenizer, self.cases, self.judge, self.P, self.seed = model, tokenizer, cases, judge, P, seed
        self.pairs = [(r["prompt"], r["chosen"]) for r in pairs] + [(r["prompt"], r["rejected"]) for r in pairs]
        self.rows: list[dict[str, Any]] = []
        self.reference = self.reference_logps(self.pairs)
        self.healthy_weights: dict = {}
        self.kept_step = 0

    def reference_logps(self, messages, finished: Sequence[bool] | None = None) -> list[float]:
        """Summed log-probabilities under the reference: the frozen SFT adapter, or the base without an adapter."""
        if "ref" not in self.model.peft_config:
            with self.model.disable_adapter():
                return answer_logps(self.model, self.tokenizer, messages, finished)[0]
        self.model.set_adapter("ref")
        try:
            return answer_logps(self.model, self.tokenizer, messages, finished)[0]
        finally:
            self.model.set_adapter("default")

    def check(self, step: int) -> bool:
        """Take one reading; remembers the weights when they are healthy.

        Returns:
            Whether the answers are healthy.
        """
        training = self.model.training
        self.model.eval()
        row = {"step": step, **self._pair_readings(), **self._answer_readings()}
        row["ill"] = "; ".join(illness(row, self.rows[0])) if self.rows else ""
        self.rows.append(row)
        if not row["ill"]:
            self.kept_step = step
            self.healthy_weights = {
                name: value.detach().clone() for name, value in self.model.named_parameters() if ".default." in name
            }
        self.model.train(training)
        return not row["ill"]

    def _pair_readings(self) -> dict[str, float | None]:
        if not self.pairs:
            return dict.fromkeys(("chosen_logp_per_token", "rejected_logp_per_token", "margin", "accuracy"))
        logps, counts = answer_logps(self.model, self.tokenizer, self.pairs)
        half = len(self.pairs) // 2
        reward = [self.P.dpo_beta * (a - b) for a, b in zip(logps, self.reference, strict=True)]
        margins = [c - r for c, r in zip(reward[:half], reward[half:], strict=True)]
        return {
            "chosen_logp_per_token": sum(logps[:half]) / sum(counts[:half]),
            "rejected_logp_per_token": sum(logps[half:]) / sum(counts[half:]),
            "margin": fmean(margins),
            "accuracy": fmean(m > 0 for m in margins),
        }

    def _answer_readings(self) -> dict[str, float]:
        P = self.P
        samples = sample(
            self.model, self.tokenizer, self.cases, number=1, temperature=1.0, seed=self.seed,
            batch_size=len(self.cases), max_new_tokens=P.candidate_max_new_tokens,
        )  # fmt: skip
        scores = [score_case(c, s.text, s.finished) for c, s in zip(self.cases, samples, strict=True)]
        said = [(prompts.prompt(c), prompts.completion(s.text)) for c, s in zip(self.cases, samples, strict=True)]
        finished = [s.finished for s in samples]
        policy, tokens = answer_logps(self.model, self.tokenizer, said, finished)
        reference = self.reference_logps(said, finished)
        mean = {
            name: fmean(s[name] for s in scores) for name in ("format_valid", "finished", "herb_repetition", "length")
        }
        return mean | {
            "judge_score": fmean(self.judge(c, s.text) for c, s in zip(self.cases, samples, strict=True)),
            # over samples of the policy the mean log-ratio is an unbiased estimate of KL(policy || reference)
            "kl_per_token": (sum(policy) - sum(reference)) / max(1, sum(tokens)),
        }

    def restore(self) -> bool:
        """Go back to the last healthy weights if the newest reading is ill.

        Returns:
            Whether it went back.
        """
        if not self.rows[-1]["ill"]:
            return False
        parameters = dict(self.model.named_parameters())
        for name, value in self.healthy_weights.items():
            parameters[name].data.copy_(value)
        return True

    def callback(self, steps: int) -> "TrainerCallback":
        """The panel as a trainer callback: a reading at step 0, then `dpo_health_evaluations` spread over `steps`."""
        from transformers import TrainerCallback

        panel, every = self, max(1, steps // self.P.dpo_health_evaluations)

        class Callback(TrainerCallback):
            def on_train_begin(self, args, state, control, **kwargs):
                panel.check(0)

            def on_step_end(self, args, state, control, **kwargs):
                if state.global_step % every == 0 or state.global_step == steps:
                    panel.check(state.global_step)
                    ill = [bool(row["ill"]) for row in panel.rows[-PATIENCE:]]
                    control.should_training_stop |= len(ill) == PATIENCE and all(ill)
                return control

        return Callback()


def illness(row: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """What got worse than before training by more than `WORSE_BY` allows; empty = healthy."""
    found = [
        f"{name} {before[name]:.2f} -> {row[name]:.2f}"
        for name, limit in WORSE_BY.items()
        if (row[name] - before[name]) * (1 if limit > 0 else -1) > abs(limit)
    ]
    ratio = row["length"] / max(1.0, before["length"])
    if not LENGTH_RATIO[0] <= ratio <= LENGTH_RATIO[1]:
        found.append(f"length x {ratio:.2f}")
    return found
