"""LoRA adapters: the configuration of every adapter, a frozen copy as reference, the trained model without wrappers."""

from typing import TYPE_CHECKING

from tcm_rlaif.study.schema import Params

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, Trainer


def lora(P: Params):
    """The LoRA configuration of every adapter: all linear layers (arXiv 2106.09685)."""
    from peft import LoraConfig

    return LoraConfig(
        r=P.lora_rank,
        lora_alpha=P.lora_alpha,
        lora_dropout=P.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def with_adapter(model: "PreTrainedModel | PeftModel", P: Params) -> "PeftModel":
    """The model with an adapter: its own, or a fresh one, which changes nothing before it is trained."""
    from peft import PeftModel, get_peft_model

    return model if isinstance(model, PeftModel) else get_peft_model(model, lora(P))


def copy_adapter(model: "PeftModel", name: str) -> None:
    """Keep a frozen copy of the adapter `default` under another name; `default` stays the one that is trained."""
    model.add_adapter(name, model.peft_config["default"])
    for parameter_name, value in list(model.named_parameters()):
        if ".default." in parameter_name:
            copied = model.get_parameter(parameter_name.replace(".default.", f".{name}."))
            copied.data.copy_(value.data)
            copied.requires_grad_(False)


def trained(trainer: "Trainer") -> "PeftModel":
    """The trained model without the autocast wrapper of the trainer, in evaluation mode: as it will be loaded later."""
    return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
