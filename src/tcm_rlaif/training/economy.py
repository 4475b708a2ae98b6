"""What training need not spend: layers computed twice, a head for every question, inputs copied to another type."""

from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model


def checkpointing(model: Model, tokens: int, P: Params) -> bool:
    """Whether to keep only the input of each layer and compute the rest twice: less memory, about 1.3 times the work.

    Args:
        model: on the device where it is trained.
        tokens: of the largest batch, with padding.

    Returns:
        True where what the layers keep for the backward pass would take more than half of the memory that is free now;
        the tiny model never needs it.
    """
    import psutil
    import torch

    free = psutil.virtual_memory().available
    if model.device.type == "cuda":
        torch.cuda.empty_cache()
        free, whole = torch.cuda.mem_get_info()
        share = whole // max(1, P.gpus) - torch.cuda.memory_allocated()  # runs beside this one may not have begun yet
        free = min(free, share)
    return P.base_model != "tiny" and activations(model, tokens) > free / 2


def activations(model: Model, tokens: int) -> int:
    """Bytes that all layers keep of so many tokens for the backward pass, about.

    Source:
        Our choice, on the safe side of what was measured: a Qwen2 model of 24 layers, hidden size 896, intermediate
        size 4,864 with LoRA in float32 keeps about 1 GiB for 640 tokens; this says 1.25.
    """
    config = model.config.get_text_config()
    of_a_token = 8 * config.hidden_size + 3 * config.intermediate_size  # float32 numbers in one layer
    return 4 * tokens * config.num_hidden_layers * of_a_token


def of_trl() -> None:
    """Both of the following, before a trainer of TRL is made."""
    answers_alone()
    inputs_once()


def answers_alone() -> None:
    """Let TRL multiply only the tokens that are learned with the vocabulary.

    It does so on GPUs. On other devices it scores the question and the padding too and throws them away, since some
    compilers build a program for every shape (`trl.trainer.utils.add_fused_lm_head`); a processor does not, and at
    152,000 words the question costs as much as the answer; the tiny model takes a third less time a step. TRL has no
    setting for it, so its test is replaced.
    """
    from trl.trainer import utils

    utils._use_triton = lambda device: True


def inputs_once() -> None:
    """Let LoRA layers take their inputs as they come where autocast gives them the type of the computation anyway.

    PEFT copies them to float32, the type of the adapter, and autocast copies them back, in every layer: the numbers are
    the same, each input is kept twice for the backward pass, and on a processor a step of a 0.5B model takes about a
    tenth longer. PEFT asks about autocast for quantized layers alone; its `disable_input_dtype_casting` would also
    leave out the copies of answers that are sampled without autocast.
    """
    from functools import wraps

    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    cast = BaseTunerLayer._cast_input_dtype
    if hasattr(cast, "__wrapped__"):
        return  # replaced before

    @wraps(cast)
    def unless_autocast(layer, x, dtype):
        return x if x is not None and torch.is_autocast_enabled(x.device.type) else cast(layer, x, dtype)

    BaseTunerLayer._cast_input_dtype = unless_autocast
