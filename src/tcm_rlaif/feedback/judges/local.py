"""A local causal LM as judge: it writes nothing, its next-token probabilities are read.

Pairwise: the probabilities of the tokens A and B after the question, in both orders, averaged. Pointwise: the expected
score over the tokens 1 to 5. No reply can be malformed, and one forward pass is enough.

Source: arXiv 2309.00267 (RLAIF), section on position bias and on direct scores; their scale goes to 10, ours to 5
because 10 is two tokens in most tokenizers.
"""

import time
from collections.abc import Sequence
from typing import Any

from tcm.cases import Case
from tcm_rlaif.feedback.judges import prompt_text
from tcm_rlaif.feedback.judges.base import JUDGED, JudgeError, Mode, Question, Record, Reply
from tcm_rlaif.models import chat
from tcm_rlaif.models.loading import load_base
from tcm_rlaif.models.sampling import context_of
from tcm_rlaif.study.schema import Params

CHOICES = ("A", "B")
RATINGS = ("1", "2", "3", "4", "5")


def from_params(P: Params, training_cases: Sequence[Case]) -> "LocalJudge":
    """The judge that the parameters describe; loads its model."""
    model, tokenizer = load_base(P.judge_model, P)
    seen, replay = P.judge_sees_gold, P.judge_replay_only
    return LocalJudge(model.eval(), tokenizer, model_name=P.judge_model, sees_gold=seen, replay_only=replay)


class LocalJudge:
    """Judges with a model of `transformers`.

    Args:
        model: a causal LM, on its device.
        tokenizer: its tokenizer; its chat template is used where it has one.
        model_name: part of the cache key.
        batch_size: questions per forward pass.
        sees_gold: show the gold answer to the judge.
        replay_only: as of `base.Judge`.
    """

    name = "transformers"
    soft = True
    stored = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        model_name: str,
        batch_size: int = 8,
        sees_gold: bool = False,
        replay_only: bool = False,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.model_name, self.batch_size, self.sees_gold = model_name, batch_size, sees_gold
        self.replay_only = replay_only

    def identity(self, mode: Mode) -> dict[str, str]:
        """What could change a reply, apart from rounding that differs with batch and device."""
        weights = "packed" if getattr(self.model, "is_quantized", False) else str(self.model.dtype)
        seen = {"prompt": prompt_text.VERSION, "sees_gold": "yes" if self.sees_gold else "no"}
        return {"model": self.model_name, "weights": weights, **seen}

    def ask(self, questions: Sequence[Question], record: Record) -> None:
        """Answer in batches of similar length; a prompt that does not fit the model is ``rejected``.

        Raises:
            JudgeError: in listwise mode, or where the choices are no single tokens.
        """
        if any(q.mode == "listwise" for q in questions):
            raise JudgeError("judge_mode listwise needs a judge that writes; use pointwise or pairwise")
        longest = context_of(self.model)
        fitting = []
        for question, ids in ((q, self._ids(q)) for q in questions):
            if longest and len(ids) > longest:
                record(question, Reply("rejected", note=f"prompt of {len(ids)} tokens, the model takes {longest}"))
            else:
                fitting.append((question, ids))
        fitting.sort(key=lambda pair: len(pair[1]))
        for mode in ("pointwise", "pairwise"):
            chosen = [pair for pair in fitting if pair[0].mode == mode]
            for start in range(0, len(chosen), self.batch_size):
                self._batch(chosen[start : start + self.batch_size], mode, record)

    def description(self, question: Question) -> list[str]:
        """What it goes by: the prompt that puts a question, and the lead of the reply."""
        text, lead = prompt_text.choice_prompt(question, self.sees_gold)
        return [f"{self.name}, user:\n{text}", f"{self.name}, assistant:\n{lead}"]

    def _ids(self, question: Question) -> list[int]:
        text, lead = prompt_text.choice_prompt(question, self.sees_gold)
        if self.tokenizer.chat_template:
            said = chat.fitted(self.tokenizer, [{"role": "user", "content": text}])
            text = chat.rendered(self.tokenizer, said, ask=True)
        return self.tokenizer(text + lead, add_special_tokens=not self.tokenizer.chat_template)["input_ids"]

    def _choice_ids(self, question: Question, choices: Sequence[str]) -> list[int]:
        """The token of each choice behind the lead; at a text's beginning many tokenizers write another one."""
        _, lead = prompt_text.choice_prompt(question, self.sees_gold)
        texts = [lead, *(lead + choice for choice in choices)]
        head, *ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        if any(row[:-1] != head for row in ids) or len({row[-1] for row in ids}) != len(ids):
            raise JudgeError(f"judge_model: the tokenizer has no single token for each of {', '.join(choices)}")
        return [row[-1] for row in ids]

    def _batch(self, batch: list[tuple[Question, list[int]]], mode: Mode, record: Record) -> None:
        started = time.monotonic()
        choices = RATINGS if mode == "pointwise" else CHOICES
        shares = self._probabilities([ids for _, ids in batch], self._choice_ids(batch[0][0], choices))
        seconds = (time.monotonic() - started) / len(batch)
        for (question, ids), share in zip(batch, shares, strict=True):
            expected = sum(k * p for k, p in enumerate(share)) / (len(share) - 1)
            value = expected if mode == "pointwise" else share[0]
            record(question, Reply(JUDGED, (value,), tokens=len(ids), seconds=round(seconds, 4)))

    def _probabilities(self, prompts: list[list[int]], choice_ids: list[int]) -> list[list[float]]:
        """Probabilities of the choices as the next token of each prompt, normalised over the choices."""
        import torch

        width = max(map(len, prompts))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=self.model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.model.device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=1).logits
        return logits[:, -1, choice_ids].float().softmax(-1).tolist()
