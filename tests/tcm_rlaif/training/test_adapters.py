"""Adapters: a frozen copy says the same and is not trained, and a saved adapter comes back whole."""

import tiny_model

from tcm.answers.wording import case_text
from tcm_rlaif.models.loading import load_policy
from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.training import dpo, proofs
from tcm_rlaif.training.adapters import copy_adapter, trained
from tcm_rlaif.training.arguments import run


def messages(number: int) -> list:
    """Chosen answers, then rejected ones, with their prompts."""
    rows = tiny_model.pairs(number)
    return [(r["prompt"], r["chosen"]) for r in rows] + [(r["prompt"], r["rejected"]) for r in rows]


def test_the_copy_of_an_adapter_says_the_same_and_is_not_trained():
    model, tokenizer = tiny_model.with_adapter()
    said = answer_logps(model, tokenizer, messages(2))[0]
    copy_adapter(model, "ref")
    assert model.active_adapter == "default"
    assert {n.split(".")[-2] for n, p in model.named_parameters() if p.requires_grad} == {"default"}
    tiny_model.perturb(model, seed=1)
    model.set_adapter("ref")
    assert answer_logps(model, tokenizer, messages(2))[0] == said


def test_a_saved_adapter_comes_back_whole_and_without_the_reference(tmp_path):
    P = tiny_model.params(dpo_batch_size=4, dpo_epochs=3, dpo_learning_rate=0.01)
    trainer = dpo.trainer(*tiny_model.with_adapter(), tiny_model.pairs(4), P, seed=0, folder=tmp_path)
    run(trainer)
    trainer.model.save_pretrained(tmp_path / "adapter", selected_adapters=["default"])
    policy = trained(trainer)
    loaded, tokenizer = load_policy(str(tiny_model.folder()), tmp_path / "adapter", tiny_model.params())
    text = case_text(tiny_model.cases()[0])
    assert proofs.largest_difference(policy, loaded, tokenizer, text) == 0
    assert proofs.largest_difference(policy, tiny_model.with_adapter()[0], tokenizer, text) > 1e-3
    assert [p.name for p in (tmp_path / "adapter").iterdir() if p.is_dir()] == []
