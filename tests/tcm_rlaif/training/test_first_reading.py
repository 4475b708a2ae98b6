"""Within a training the panel finds margin 0 at first, in bfloat16 too: both sides are read with the same rounding."""

import pytest
import tiny_model

from tcm_rlaif.training import dpo
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.health import HealthPanel


def likes_length(case, text: str) -> float:
    return min(1.0, len(text) / 100)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_at_the_first_step_policy_and_reference_agree_exactly(tmp_path, dtype: str) -> None:
    P = tiny_model.params(base_dtype=dtype, candidate_max_new_tokens=8, dpo_batch_size=2, dpo_health_evaluations=1)
    model, tokenizer = tiny_model.with_adapter()
    trainer = dpo.trainer(model, tokenizer, tiny_model.pairs(4), P, seed=0, folder=tmp_path)
    panel = HealthPanel(trainer.model, tokenizer, tiny_model.cases()[:2], tiny_model.pairs(4), likes_length, P, 0)
    trainer.add_callback(panel.callback(dpo.steps(P, 4)))
    run(trainer)
    assert panel.rows[0]["margin"] == 0.0 and panel.rows[-1]["margin"] != 0.0
