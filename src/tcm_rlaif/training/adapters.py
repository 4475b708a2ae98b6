"""Adapters: how each is configured, a frozen copy as reference, the trained model without wrappers."""

from collections.abc import Mapping

from tcm_rlaif.models.prompts import SYSTEM
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, PeftModel, Tensor, Tokenizer, Trainer


def lora(P: Params):
    """LoRA on all linear layers (arXiv 2106.09685): what preference training trains, and SFT by default."""
    from peft import LoraConfig

    return LoraConfig(
        r=P.lora_rank,
        lora_alpha=P.lora_alpha,
        lora_dropout=P.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def fresh(P: Params):
    """The configuration of what SFT trains (`adapter`).

    A learned prompt begins as words drawn from the vocabulary; a prefix as `begin` sets it.

    Source:
        LoRA: arXiv 2106.09685. Prompt tuning, with its start from the vocabulary: arXiv 2104.08691; for few medical
        cases as in CLEFT, arXiv 2407.21011, of which only the learned prompt is taken. Prefix tuning: arXiv
        2101.00190, without its reparametrisation.
    """
    from peft import PrefixTuningConfig, PromptTuningConfig

    learned = {"task_type": "CAUSAL_LM", "num_virtual_tokens": P.adapter_tokens}
    if P.adapter == "prompt":
        return PromptTuningConfig(prompt_tuning_init="SAMPLE_VOCAB", **learned)
    return PrefixTuningConfig(**learned) if P.adapter == "prefix" else lora(P)


def begin(model: PeftModel, tokenizer: Tokenizer, P: Params) -> None:
    """Let a fresh prefix begin as what the model makes of the task's instruction; other adapters stay as they are.

    Source:
        arXiv 2101.00190, section 7.4: from few cases a prefix learns little and unsteadily from a random start, and
        more from the activations of real words, best those of the task. Which words: our choice.
    """
    from peft import initialize_kv_prefix_from_text

    if P.adapter == "prefix":
        enough = SYSTEM * P.adapter_tokens  # its first tokens are taken
        how = {"use_chat_template": False, "max_length": P.adapter_tokens}
        initialize_kv_prefix_from_text(model, tokenizer, text=enough, **how)


def weights(model: Model) -> dict[str, Tensor]:
    """Copies of the weights of the adapter that a model has; empty where it has none yet."""
    return {name: value.detach().clone() for name, value in model.named_parameters() if ".default." in name}


def in_float32(trainer: Trainer, before: Mapping[str, Tensor]) -> Trainer:
    """Undo TRL's cast of a 4-bit base's adapter to bfloat16.

    Reference and reloaded policy are float32, so that the policy would begin apart from them; and of AdamW's steps on
    weights in bfloat16 most round to nothing.

    Args:
        before: `weights` of the model that the trainer was given.
    """
    for name, value in trainer.model.named_parameters():
        if ".default." in name and value.dtype.itemsize < 4:
            value.data = before.get(name, value.data).float()
    return trainer


def missing(model: Model, configuration):
    """What TRL's trainers shall add to a model: nothing where it has an adapter already, which is trained on."""
    from peft import PeftModel

    return None if isinstance(model, PeftModel) else configuration


def with_adapter(model: Model, P: Params) -> PeftModel:
    """The model with an adapter: its own, or a fresh one, which changes nothing before it is trained."""
    from peft import PeftModel, get_peft_model

    return model if isinstance(model, PeftModel) else get_peft_model(model, lora(P))


def copy_adapter(model: PeftModel, name: str) -> None:
    """Keep a frozen copy of the adapter `default` under another name; `default` stays the one that is trained."""
    model.add_adapter(name, model.peft_config["default"])
    for parameter_name, value in list(model.named_parameters()):
        if ".default." in parameter_name:
            copied = model.get_parameter(parameter_name.replace(".default.", f".{name}."))
            copied.data.copy_(value.data)
            copied.requires_grad_(False)


def trained(trainer: Trainer) -> PeftModel:
    """The trained model without the autocast wrapper of the trainer, in evaluation mode: as it will be loaded later."""
    policy = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
    policy._is_accelerate_prepared = False  # else the next trainer takes it as wrapped and leaves out autocast
    return policy
