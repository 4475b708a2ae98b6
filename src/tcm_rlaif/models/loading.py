"""Loading: any causal LM (hub id, folder, `.gguf` file), and adapters on top; one way to load them all."""

from pathlib import Path
from typing import TYPE_CHECKING

from tcm_rlaif.models.memory import keep_memory
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def compute_dtype(P: Params):
    """The type to compute in: what `base_dtype` says, or for `auto` bfloat16 where the processor has it built in.

    Returns:
        A torch dtype.

    Source:
        Measured: on a CPU with avx512_bf16 the tiny model trains about twice as fast under bfloat16 autocast; without
        such instructions bfloat16 is emulated and slower.
    """
    import torch

    if P.base_dtype != "auto":
        return getattr(torch, P.base_dtype)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32


def load_base(source: str, P: Params) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Load a causal LM and its tokenizer.

    Args:
        source: a folder, a hub id, or a .gguf file (which is dequantised: LoRA trains on plain weights).
        P: for the dtype. The tiny model keeps float32 weights (autocast computes in `compute_dtype`), others are
            loaded in `compute_dtype`.

    Returns:
        The model on its device, in evaluation mode; the tokenizer, padding on the left for generation.

    Raises:
        FileNotFoundError: for a .gguf file that is not there.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    kwargs: dict = {"dtype": torch.float32 if P.base_model == "tiny" else compute_dtype(P)}
    name = source
    if source.endswith(".gguf"):
        file = ROOT / source
        if not file.is_file():
            raise FileNotFoundError(f"base_model: {file}: no such file")
        name = str(file.parent)
        kwargs |= {"gguf_file": file.name, "quantization_config": GgufConfig(dequantize=True)}
    elif (ROOT / source).is_dir():
        name = str(ROOT / source)
    tokenizer = AutoTokenizer.from_pretrained(
        name, **({"gguf_file": kwargs["gguf_file"]} if "gguf_file" in kwargs else {})
    )
    model = AutoModelForCausalLM.from_pretrained(name, **kwargs)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        # padding with the end token would hide the end from the loss and the model would never learn to stop
        spare = [
            t for t in ("<|endoftext|>", "<unk>", "<pad>") if t in tokenizer.get_vocab() and t != tokenizer.eos_token
        ]
        if not spare:
            raise ValueError(
                f"base_model: {source}: the tokenizer has no padding token other than its end token; add one"
            )
        tokenizer.pad_token = spare[0]
    if torch.cuda.is_available():
        return model.to("cuda").eval(), tokenizer
    keep_memory()  # only now: what loading took for a while goes back
    return model.eval(), tokenizer


def load_policy(source: str, adapter: Path | None, P: Params, trainable: bool = False):
    """A base model with an adapter on it, or the bare base where there is none.

    Args:
        source: the base, as for `load_base`.
        adapter: folder that an earlier stage saved.
        trainable: whether training goes on with this adapter.

    Returns:
        The model in evaluation mode and the tokenizer.
    """
    model, tokenizer = load_base(source, P)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable).eval()
    return model, tokenizer
