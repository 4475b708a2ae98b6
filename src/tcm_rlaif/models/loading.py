"""Loading: any causal LM (hub id, folder, `.gguf` file), and adapters on top; one way to load them all."""

from pathlib import Path
from typing import TYPE_CHECKING

from tcm_rlaif.models import chat
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


def _locate(source: str, key: str) -> tuple[str, dict[str, str]]:
    """Where a model lies: what `from_pretrained` takes as its name, and `gguf_file` where it is one.

    Raises:
        FileNotFoundError, ValueError: as `load_base`, for what can be seen without loading.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    place = ROOT / Path(source).expanduser()
    if source.lower().endswith(".gguf"):
        if not place.is_file():
            raise FileNotFoundError(f"{key}: {place}: no such file")
        return str(place.parent), {"gguf_file": place.name}
    if place.is_dir():
        if not (place / "config.json").is_file():
            files = ", ".join(sorted(file.name for file in place.glob("*.[gG][gG][uU][fF]")))
            fix = f"name the file itself, one of: {files}" if files else "name the folder that holds it"
            raise ValueError(f"{key}: {place}: a folder without config.json is no model; {fix}")
        return str(place), {}
    try:
        validate_repo_id(source)
    except HFValidationError:
        raise ValueError(f"{key}: {_not_found(source)} and its form is not that of a hub id (owner/name)") from None
    return source, {}


def _not_found(source: str) -> str:
    return (
        f"{source!r} is no folder ({ROOT / Path(source).expanduser()} does not exist; check the spelling, a relative "
        "one counts from the project), no .gguf file (it would end in .gguf)"
    )


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
        ValueError: for anything else that cannot be loaded: names the key, what was looked for, and the fix.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    key = "judge_model" if source == P.judge_model != P.base_model else "base_model"
    name, gguf = _locate(source, key)
    kwargs: dict = {"dtype": torch.float32 if P.base_model == "tiny" else compute_dtype(P), **gguf}
    if gguf:
        kwargs["quantization_config"] = GgufConfig(dequantize=True)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **gguf)
        model = AutoModelForCausalLM.from_pretrained(name, **kwargs)
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        if name != source or Path(name).is_dir():
            raise ValueError(f"{key}: {ROOT / Path(source).expanduser()}: cannot be loaded: {reason}") from error
        raise ValueError(
            f"{key}: {_not_found(source)}, and as a hub id it cannot be had: {reason} "
            "A gated model wants a token (`hf auth login`); without network, name the folder of a copy."
        ) from error
    chat.prepare(tokenizer, model, source)
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


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
