"""Loading: any causal LM (hub id, folder, `.gguf` file), and adapters on top; one way to load them all."""

import warnings
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tcm_rlaif.models import chat, memory
from tcm_rlaif.models.places import ModelError, check, is_tiny, made_on, not_found
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, PeftModel, Tensor, Tokenizer

# PEFT 0.21 asks every model for a property by the name that transformers 5.23 renamed: nothing that a user could mend.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


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


def _how(P: Params, gguf: Path | None, tiny: bool) -> dict[str, Any]:
    """What `from_pretrained` is told about a model that passed `check`, beside its name.

    Args:
        tiny: whether it is the study's own tiny base.
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
        ModelError: for what cannot be loaded or not wholly, cannot be talked with, or takes more memory than is free
            (told before anything is read).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    key = "judge_model" if source == P.judge_model != P.base_model else "base_model"
    name, gguf = check(source, P, key)
    how = _how(P, gguf, is_tiny(P, key))
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
            told = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # for `_lost`, which names them
            model, found = AutoModelForCausalLM.from_pretrained(name, **how, **told)
        except Exception as error:  # files of others read by code of others: any error may come
            raise ModelError(f"{key}: {_cannot(source, name, error)}") from error
    if lost := _lost(model, found):
        fix = "fetch it again" + ("" if gguf else ", with the config.json that belongs to it")
        raise ModelError(f"{key}: {gguf or name}: {lost}; {fix}")
    if gguf:  # else two files of one folder would be one model to whoever asks for its name
        model.name_or_path = model.config._name_or_path = str(gguf)
    try:
        chat.prepare(tokenizer, model, f"{key}: {source}")
    except ValueError as error:
        raise ModelError(str(error)) from error
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


def _lost(model: Model, found: dict[str, Any]) -> str:
    """Which weights of a model its files do not hold, in one phrase; empty where they hold all.

    transformers makes random numbers of them and goes on. Weights that are tied to others are not missing; buffers are
    computed.

    Args:
        found: what transformers tells of the loading.
    """
    weights = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    missing = sorted(weights & {*found["missing_keys"]})
    other = [f"{name} ({[*has]}, not {[*wants]})" for name, has, wants in sorted(found["mismatched_keys"])]
    if missing:
        return f"{len(missing)} of its {len(weights)} weights are not in its files, as {', '.join(missing[:3])}"
    return f"{len(other)} of its weights are of other shapes than its configuration says: {other[0]}" if other else ""


def _cannot(source: str, name: str, error: Exception) -> str:
    """Why a model cannot be loaded, and what may help."""
    reason = " ".join(str(error).split())
    if not isinstance(error, OSError | ValueError | ImportError):
        reason = f"{type(error).__name__}: {reason}"  # such a one may say nothing but a key or a number
    if "trust_remote_code" in reason:
        reason += "; if you trust the code that comes with this model, set base_trust_remote_code: true"
    if name != source or Path(name).is_dir():
        return f"{ROOT / Path(source).expanduser()}: cannot be loaded: {reason}"
    return (
        f"{not_found(source)}, and as a hub id it cannot be had: {reason} "
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
        ModelError: where an adapter cannot be read, or has not the very weights that one of its kind has on this model:
            PEFT would leave out those without a place, and layers without weights stay as they are or begin afresh.
    """
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    try:
        with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
            saved = set(file.keys())
        PeftConfig.from_pretrained(str(adapter))
    except Exception as error:  # damaged files: any error may come
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ModelError(f"{adapter}: no adapter that can be read ({reason}); run what made it again") from error
    try:
        policy = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable).eval()
        fits = set(get_peft_model_state_dict(policy))
        without, bare = saved - fits, (fits - saved) | _bare(policy)
        reason = f"{len(bare)} places in it have no weights, as {min(bare)}" if bare else ""
        if without:
            reason = f"{len(without)} weights have no place in it, as {min(without)}"
        made_for = getattr(policy.active_peft_config, "num_layers", None)  # of a learned prompt or prefix
        here = getattr(model.config.get_text_config(), "num_hidden_layers", made_for)
        if made_for not in (None, here):
            reason = f"it was learned for {made_for} layers and not for {here}"
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    if reason:
        base = made_on(adapter)
        raise ModelError(f"{adapter}: this adapter was made on another base ({base}) than {source}: {reason}")
    return policy


def _bare(policy: PeftModel) -> set[str]:
    """Layers without an adapter, where it is on others of their name: the base that it was made on did not have them.

    Adapters are made on all linear layers; PEFT writes down which these were, by their full names where they are few.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = {name: layer for name, layer in policy.named_modules() if isinstance(layer, BaseTunerLayer)}
    kinds = tuple({type(layer.get_base_layer()) for layer in adapted.values()})
    names = {name.rpartition(".")[2] for name in adapted}
    others = {name for name, layer in policy.named_modules() if isinstance(layer, kinds)} - adapted.keys()
    return {name for name in others if name.rpartition(".")[2] in names}
