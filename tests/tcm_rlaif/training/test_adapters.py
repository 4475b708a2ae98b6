"""Adapters: a frozen copy says the same and is not trained, and a saved adapter comes back whole."""

import tiny_model
import torch
from tiny_model import messages

from tcm.answers.wording import case_text
from tcm_rlaif.models.loading import load_policy
from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.training import adapters, dpo, proofs, sft
from tcm_rlaif.training.adapters import copy_adapter, trained
from tcm_rlaif.training.arguments import on_one_gpu, run


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
    assert proofs.reloaded_difference(policy, tmp_path / "adapter", tokenizer, text) == 0
    assert proofs.largest_difference(policy, loaded, tokenizer, text) == 0 and "saved" not in policy.peft_config
    tiny_model.perturb(policy, seed=3)
    assert proofs.reloaded_difference(policy, tmp_path / "adapter", tokenizer, text) > 1e-3
    assert [p.name for p in (tmp_path / "adapter").iterdir() if p.is_dir()] == []


def test_a_policy_that_was_cast_to_bfloat16_is_again_what_it_was_and_equals_its_reference(tmp_path):
    """TRL casts the adapter of a 4-bit base; steps of AdamW on such weights mostly round to nothing."""
    model, tokenizer = tiny_model.with_adapter()
    tiny_model.perturb(model, seed=1)
    before = adapters.weights(model)
    made = dpo.trainer(model, tokenizer, tiny_model.pairs(4), tiny_model.params(), seed=0, folder=tmp_path)
    for name, weight in made.model.named_parameters():
        if ".default." in name:
            weight.data = weight.data.bfloat16()
    adapters.in_float32(made, before)
    of = dict(made.model.named_parameters())
    assert before and all(weight.dtype == torch.float32 for weight in of.values())
    assert all(torch.equal(of[n], of[n.replace(".default.", ".ref.")]) for n in before)


def test_after_one_training_the_next_computes_in_the_same_type(tmp_path):
    P = tiny_model.params(base_dtype="bfloat16", sft_epochs=1)
    model, tokenizer = tiny_model.base()
    rows = sft.sft_rows(tiny_model.cases()[:4])
    types = []
    for name in ("first", "second"):
        made = sft.sft_trainer(model, tokenizer, rows, None, P, seed=0, folder=tmp_path / name)
        linear = next(m for n, m in made.model.named_modules() if n.endswith("lora_A.default"))
        handle = linear.register_forward_hook(lambda _m, _i, out: types.append(out.dtype))
        run(made)
        handle.remove()
        model = trained(made)
    assert set(types) == {torch.bfloat16}


def test_of_several_visible_gpus_a_trainer_takes_one(tmp_path):
    from trl import SFTConfig

    settings = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False)
    settings._n_gpu = 4
    assert on_one_gpu(settings).n_gpu == 1 and settings.train_batch_size == settings.per_device_train_batch_size
