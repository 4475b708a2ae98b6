"""The health panel of preference training: what the policy does while it trains, not only what its loss says.

DPO on small data can win on its loss and lose its language: endless repetition, answers without an end, chosen and
rejected both less likely (likelihood displacement, arXiv 2410.08847). What the pairs take away goes to whatever is
likeliest (squeezing, arXiv 2407.10490), which draws hide and greedy answers show: names that no table knows, one
prescription for everybody. The panel answers the same validation cases before, during and after training, by draws
from the policy and greedily, stops when answers fall ill, and goes back to the last healthy weights.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from tcm.answers import read_for
from tcm.cases import Case
from tcm.knowledge import resolve_herb
from tcm.metrics import score_case
from tcm.metrics.sets import herb_set
from tcm_rlaif.models.logps import answer_logps, sample_logps
from tcm_rlaif.models.prompter import Prompter, checked
from tcm_rlaif.models.sampling import Sample, sample
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import PeftModel, Tensor, Tokenizer, TrainerCallback
from tcm_rlaif.training import adapters, panel_file

# Our choice: an answer is ill when it got clearly worse than before training, not when it is merely different.
WORSE_BY = {"format_valid": -0.25, "finished": -0.25, "herb_repetition": 0.2, "unknown_herb": 0.2}
LENGTH_RATIO = (0.5, 2.0)
PATIENCE = 2  # ill checks in a row that stop training


class HealthPanel:
    """Watches a policy with a frozen reference on fixed validation cases and pairs.

    Args:
        model: with adapter ``default`` (trained) and, when an SFT adapter is continued, a frozen copy of it, ``start``;
            DPO's own reference of a later round is ``ref``.
        cases: validation cases to answer, the same at every check.
        pairs: preference rows whose log-probabilities are followed.
        judge: score of an answer to a case, 0..1.
        prompter: what the cases are asked with; may be left out where the parameters want no evidence in prompts.
        before: the reading of the policy as it came in, which later rounds are held against as well: what each of them
            loses a little of adds up. None in the first, whose own first reading it is.
    """

    def __init__(
        self,
        model: PeftModel,
        tokenizer: Tokenizer,
        cases: Sequence[Case],
        pairs: Sequence[dict],
        judge: Callable[[Case, str], float],
        P: Params,
        seed: int,
        prompter: Prompter | None = None,
        before: dict[str, Any] | None = None,
    ):
        self.prompter, self.before = checked(prompter, P), before
        self.model, self.tokenizer, self.cases, self.judge, self.P, self.seed = model, tokenizer, cases, judge, P, seed
        self.pairs = [(r["prompt"], r["chosen"]) for r in pairs] + [(r["prompt"], r["rejected"]) for r in pairs]
        self.rows: list[dict[str, Any]] = []
        self.scores: dict[int, list[dict[str, float | None]]] = {}  # step -> what each case's answer scored
        self.healthy_weights: dict = {}
        self.kept_step = 0

    @contextmanager
    def as_reference(self, name: str = "start") -> Iterator[None]:
        """Within it the model speaks as it came in, or as a round's own reference `ref` where DPO keeps one."""
        frozen = [adapter for adapter in (name, "start") if adapter in self.model.peft_config]
        if not frozen:  # there was no SFT adapter
            with self.model.disable_adapter():
                yield
            return
        self.model.set_adapter(frozen[0])
        try:
            yield
        finally:
            self.model.set_adapter("default")

    @cached_property
    def _reference_logps(self) -> list[float]:
        """Of the pairs; read at the first check, since a trainer computes in bfloat16 only once it trains.

        Read before, they would differ from the policy's by rounding, and its first margin would not be 0.
        """
        with self.as_reference("ref"):
            return answer_logps(self.model, self.tokenizer, self.pairs)[0]

    def check(self, step: int) -> bool:
        """Take one reading; remembers the weights when they are healthy.

        Returns:
            Whether the answers are healthy.
        """
        training = self.model.training
        self.model.eval()
        row = {"step": step, **self._pair_readings(), **self._greedy_readings(), **self._answer_readings(step)}
        row["ill"] = "; ".join(illness(row, self.before or self.rows[0])) if self.before or self.rows else ""
        self.rows.append(row)
        if not row["ill"] or not self.healthy_weights:
            self.kept_step = step
            self.healthy_weights = adapters.weights(self.model)
        self.model.train(training)
        return not row["ill"]

    def _pair_readings(self) -> dict[str, float | None]:
        if not self.pairs:
            return dict.fromkeys(("chosen_logp_per_token", "rejected_logp_per_token", "margin", "accuracy"))
        logps, counts = answer_logps(self.model, self.tokenizer, self.pairs)
        reference = self._reference_logps
        half = len(self.pairs) // 2
        reward = [self.P.dpo_beta * (a - b) for a, b in zip(logps, reference, strict=True)]
        margins = [c - r for c, r in zip(reward[:half], reward[half:], strict=True)]
        return {
            "chosen_logp_per_token": sum(logps[:half]) / sum(counts[:half]),
            "rejected_logp_per_token": sum(logps[half:]) / sum(counts[half:]),
            "margin": fmean(margins),
            "accuracy": fmean(m > 0 for m in margins),
        }

    def _answer_readings(self, step: int) -> dict[str, float | None]:
        """What is read from answers sampled at temperature 1 and top_p 1, that is, from the policy itself.

        KL(policy || reference) of an answer is the sum over its places of the KL of the next token (chain rule). Each
        is estimated from the one token drawn there, with r = reference / policy, as r - 1 - log r: unbiased, as the
        mean of -log r is, but never below 0, since r - 1 is 0 on average and cancels most of the noise where the two
        are close (Schulman 2020, joschu.net/blog/kl-approx.html, his k3; what TRL's GRPO penalises). The tokens must
        be those that were drawn: the same text tokenised again may be spelt in other tokens than the policy chose.
        Divided by the tokens drawn it is the KL a token, up to the bias of a ratio of means, which falls as 1 /
        answers. Minus the policy's own log-probability a token is its entropy, likewise from the tokens drawn.
        """
        samples = self._sample(temperature=1.0)
        scores = [score_case(c, s.text, s.finished) for c, s in zip(self.cases, samples, strict=True)]
        self.scores[step] = scores
        f1 = [row["herb_f1"] for row in scores if row["herb_f1"] is not None]
        drawn = (self.model, self.tokenizer, self.cases, samples, self.prompter)
        policy, tokens = sample_logps(*drawn), max(1, sum(s.tokens for s in samples))
        with self.as_reference():
            kl = sum(kl_estimate(own, other) for own, other in zip(policy, sample_logps(*drawn), strict=True))
        mean = {
            name: fmean(s[name] for s in scores) for name in ("format_valid", "finished", "herb_repetition", "length")
        }
        return mean | {
            "judge_score": fmean(self.judge(c, s.text) for c, s in zip(self.cases, samples, strict=True)),
            "herb_f1": fmean(f1) if f1 else None,
            "usable": fmean(row["usable"] for row in scores),
            "kl": kl / len(samples),
            "kl_per_token": kl / tokens,
            "entropy": -sum(own.sum().item() for own in policy) / tokens,
        }

    def _greedy_readings(self) -> dict[str, float]:
        """Shares of greedy answers that name a herb which no table knows, and that are the commonest prescription."""
        samples = self._sample(temperature=0.0, end_at_loop=self.P.candidate_end_at_loop)
        herbs = [read_for(c, s.text).answer.herbs for c, s in zip(self.cases, samples, strict=True)]
        same = Counter(herb_set(names, "canonical") for names in herbs if names)
        return {
            "unknown_herb": fmean(any(resolve_herb(name) is None for name in names) for names in herbs),
            "alike": max(same.values(), default=0) / len(samples),
        }

    def _sample(self, **how: float | bool) -> list[Sample]:
        """One answer to each watched case."""
        return sample(
            self.model, self.tokenizer, self.cases, number=1, seed=self.seed, batch_size=len(self.cases),
            max_new_tokens=self.P.candidate_max_new_tokens, prompter=self.prompter, **how,
        )  # fmt: skip

    @property
    def kept(self) -> dict[str, Any]:
        """The reading of the weights that are kept."""
        return next(row for row in reversed(self.rows) if row["step"] == self.kept_step)

    def stopped(self) -> bool:
        """Whether the newest readings end the training: `PATIENCE` ill ones in a row."""
        return len(self.rows) >= PATIENCE and all(row["ill"] for row in self.rows[-PATIENCE:])

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

    def callback(self, steps: int) -> TrainerCallback:
        """The panel as a trainer callback: a reading at step 0, then `dpo_health_evaluations` spread over `steps`.

        A training that goes on from a checkpoint goes on with the readings up to there.
        """
        from transformers import TrainerCallback

        panel, every = self, max(1, steps // self.P.dpo_health_evaluations)

        class Callback(TrainerCallback):
            def on_train_begin(self, args, state, control, **kwargs):
                if state.global_step:
                    said, panel.healthy_weights = panel_file.take(Path(args.output_dir), state.global_step)
                    panel.rows[:], panel.kept_step = said["rows"], said["kept_step"]
                    panel.scores.update({int(step): scores for step, scores in said["scores"].items()})
                    control.should_training_stop |= panel.stopped()  # after a step: the trainer asks no earlier
                else:
                    panel_file.clear(Path(args.output_dir))
                    panel.check(0)

            def on_step_end(self, args, state, control, **kwargs):
                if state.global_step % every == 0 or state.global_step == steps:
                    panel.check(state.global_step)
                    control.should_training_stop |= panel.stopped()
                if args.save_strategy != "no" and (
                    state.global_step % args.save_steps == 0 or state.global_step == steps
                ):
                    said = {"rows": panel.rows, "scores": panel.scores, "kept_step": panel.kept_step}
                    panel_file.keep(Path(args.output_dir), state.global_step, said, panel.healthy_weights)
                return control

        return Callback()


def kl_estimate(policy: Tensor, reference: Tensor) -> float:
    """KL(policy || reference) of an answer in nats, from the tokens that the policy drew: the sum of r - 1 - log r.

    Args:
        policy, reference: log-probability of each token drawn, under either.
    """
    log_r = (reference - policy).double()  # r near 1 cancels
    return (log_r.expm1() - log_r).sum().item()


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
