"""Loading: any causal LM (hub id, folder, `.gguf` file), and adapters on top; one way to load them all."""

import warnings
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tcm.files import read_json
from tcm_rlaif.models import chat, memory
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, PeftModel, Tensor, Tokenizer

# PEFT 0.21 asks every model for a property by the name that transformers 5.23 renamed: nothing that a user could mend.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


class ModelError(ValueError):
    """A model that cannot be loaded; the message names the key, what was looked for, and the fix."""


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
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32


def locate(source: str, key: str) -> tuple[str, Path | None]:
    """Where a model lies: what `from_pretrained` takes as its name, or the GGUF file that it is.

    Raises:
        ModelError: as `load_base`, for what can be seen without loading.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    place = ROOT / Path(source).expanduser()
    if source.lower().endswith(".gguf"):
        if not place.is_file():
            raise ModelError(f"{key}: {place}: no such file")
        with place.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(
                    f"{key}: {place}: cannot be loaded: it does not begin as a GGUF file does; fetch it again"
                )
        return str(place.parent), place
    if place.is_dir():
        if wrong := _wrong_folder(place):
            raise ModelError(f"{key}: {place}: {wrong}")
        return str(place), None
    try:
        validate_repo_id(source)
    except HFValidationError:
        raise ModelError(f"{key}: {_not_found(source)} and its form is not that of a hub id (owner/name)") from None
    return source, None


def _wrong_folder(place: Path) -> str:
    """Why a folder holds no model that can be loaded; empty where it may."""

    def holds(*patterns: str) -> bool:
        return any(any(place.glob(pattern)) for pattern in patterns)

    if not (place / "config.json").is_file():
        if (place / "adapter_config.json").is_file():
            made_on = read_json(place / "adapter_config.json").get("base_model_name_or_path")
            return f"an adapter is no model; name the model that it was made on ({made_on})"
        files = ", ".join(sorted(file.name for file in place.glob("*.[gG][gG][uU][fF]")))
        fix = f"name the file itself, one of: {files}" if files else "name the folder that holds it"
        return f"a folder without config.json is no model; {fix}"
    if not holds("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json"):
        return "a folder without a tokenizer (tokenizer.json); save the model's tokenizer into it"
    if holds("*.bin", "*.pt", "*.pth") and not holds("*.safetensors"):
        return "weights are read from .safetensors files alone (others can run code); save the model again as such"
    return ""


def _not_found(source: str) -> str:
    return (
        f"{source!r} is no folder ({ROOT / Path(source).expanduser()} does not exist; check the spelling, a relative "
        "one counts from the project), no .gguf file (it would end in .gguf)"
    )


def _how(P: Params, gguf: Path | None, tiny: bool) -> dict[str, Any]:
    """What `from_pretrained` is told about a model, beside its name.

    Args:
        tiny: whether it is the study's own tiny base.

    Raises:
        ModelError: where the parameters ask for what this machine or this kind of file does not have.
    """
    import torch
    from transformers import BitsAndBytesConfig, GgufConfig

    how: dict[str, Any] = {"dtype": torch.float32 if tiny else compute_dtype(P)}
    if P.base_attention != "auto":
        how["attn_implementation"] = P.base_attention
    if gguf:
        how |= {"gguf_file": gguf.name, "quantization_config": GgufConfig(dequantize=True)}
    else:
        how |= {"use_safetensors": True, "trust_remote_code": P.base_trust_remote_code}
    if P.base_quantization == "none":
        return how
    if gguf or tiny:
        raise ModelError("base_quantization: 4bit is for models in folders or on the hub; set it to none for this one")
    if not torch.cuda.is_available():
        raise ModelError("base_quantization: 4bit needs a GPU with CUDA, and none is here; set it to none")
    if not find_spec("bitsandbytes"):
        raise ModelError("base_quantization: 4bit needs bitsandbytes: pip install bitsandbytes, or set it to none")
    packed = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=how["dtype"],
    )  # as in QLoRA, arXiv 2305.14314
    return how | {"quantization_config": packed, "device_map": {"": torch.cuda.current_device()}}


def load_base(source: str, P: Params) -> tuple[Model, Tokenizer]:
    """Load a causal LM and its tokenizer.

    Args:
        source: a folder, a hub id, or a .gguf file (which is dequantised: LoRA trains on plain weights).
        P: for the dtype, attention, quantization and whether code of the model's own may run. The tiny model keeps
            float32 weights (autocast computes in `compute_dtype`), others are loaded in `compute_dtype`.

    Returns:
        The model on its device, in evaluation mode; the tokenizer, made fit for chat (`chat.prepare`) and padding on
        the left for generation.

    Raises:
        ModelError: for what cannot be loaded, or takes more memory than is free (told before anything is read).
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    key = "judge_model" if source == P.judge_model != P.base_model else "base_model"
    name, gguf = locate(source, key)
    how = _how(P, gguf, P.base_model == "tiny" and key == "base_model")
    weight = memory.PACKED if P.base_quantization == "4bit" else how["dtype"].itemsize
    if lacking := memory.lacking(name, gguf, weight):
        raise ModelError(f"{key}: {source}: {lacking}")
    with ExitStack() as stack:
        if gguf and gguf.suffix != ".gguf":  # transformers tells the format by the ending, in small letters
            name = stack.enter_context(TemporaryDirectory())
            how["gguf_file"] = gguf.with_suffix(".gguf").name
            (Path(name) / how["gguf_file"]).symlink_to(gguf)
        given = {k: how[k] for k in ("gguf_file", "trust_remote_code") if k in how}
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, **given)
            model = AutoModelForCausalLM.from_pretrained(name, **how)
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise ModelError(f"{key}: {_cannot(source, name, ' '.join(str(error).split()))}") from error
    chat.prepare(tokenizer, model, source)
    if (head := model.get_output_embeddings()) is not None:
        head.register_forward_pre_hook(in_one_piece)
    if torch.cuda.is_available():
        without_cudnn_attention()
        if P.base_quantization == "none":
            model = model.to("cuda")
    return model.eval(), tokenizer


def in_one_piece(_head: object, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a head is given, contiguous: PyTorch copies frozen weights once for each row of a slice it is given.

    The last hidden states of sixteen prompts are such a slice: 152,000 words in bfloat16 took 4 GiB. Weights that may
    be trained are not copied, so it begins with the first adapter.

    Args:
        inputs: of the head; the first is hidden states, shape (rows, tokens, hidden).

    Source:
        `should_fold` in PyTorch's LinearAlgebra.cpp: a view that cannot be folded goes through `bmm`.
    """
    return tuple(x.contiguous() for x in inputs)


def without_cudnn_attention() -> None:
    """Leave attention on GPUs to PyTorch's other kernels: the backward pass of cuDNN's may return NaN.

    It does where a padded batch's length is an odd multiple of 64, which every second one here is (`logps.PAD_TO`).

    Source:
        github.com/pytorch/pytorch/issues/196678: H100 and H200, PyTorch 2.11 and later, first met with Qwen2.5. Seen
        here: on an H100 (PyTorch 2.11) every SFT of a 0.5B Qwen2.5 was NaN within an epoch, whole and in 4 bits;
        without this attention it was not run there yet.
    """
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


def _cannot(source: str, name: str, reason: str) -> str:
    """Why a model cannot be loaded, and what may help."""
    if "trust_remote_code" in reason:
        reason += "; if you trust the code that comes with this model, set base_trust_remote_code: true"
    if name != source or Path(name).is_dir():
        return f"{ROOT / Path(source).expanduser()}: cannot be loaded: {reason}"
    return (
        f"{_not_found(source)}, and as a hub id it cannot be had: {reason} "
        "A gated model wants a token (`hf auth login`); without network, name the folder of a copy."
    )


def load_policy(source: str, adapter: Path | None, P: Params, trainable: bool = False):
    """A base model with an adapter on it, or the bare base where there is none.

    Args:
        source: the base, as for `load_base`.
        adapter: folder that an earlier stage saved.
        trainable: whether training goes on with this adapter.

    Returns:
        The model in evaluation mode and the tokenizer.

    Raises:
        ModelError: for an adapter that was made on another base.
    """
    model, tokenizer = load_base(source, P)
    return (with_saved(model, adapter, source, trainable) if adapter else model), tokenizer


def with_saved(model: Model, adapter: Path, source: str, trainable: bool = False) -> PeftModel:
    """A model with an adapter that was saved.

    Raises:
        ModelError: where not every weight of the adapter has its place in this model: PEFT would leave out the rest.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        saved = set(file.keys())
    try:
        policy = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable).eval()
        without = saved - set(get_peft_model_state_dict(policy))
        reason = f"{len(without)} weights have no place in it, as {min(without)}" if without else ""
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        made_on = read_json(adapter / "adapter_config.json").get("base_model_name_or_path")
        raise ModelError(f"{adapter}: this adapter was made on another base ({made_on}) than {source}: {reason}")
    return policy
