"""Where a model lies (hub id, folder, `.gguf` file), and what is told of it before it is loaded, without network."""

from importlib.util import find_spec
from pathlib import Path

from tcm.files import read_json
from tcm_rlaif.models import headers
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params


class ModelError(ValueError):
    """A model that cannot be loaded; the message names the key, what was looked for, and the fix."""


def check(source: str, P: Params, key: str, here: bool = True) -> tuple[str, Path | None]:
    """What `locate` finds, with all that can be told of a model before it is loaded, without network.

    Args:
        here: whether it will be loaded on this machine.

    Raises:
        ModelError: as `locate`; for a GGUF file that is cut off; where the parameters ask for what this machine or this
            kind of file does not have.
    """
    name, gguf = locate(source, key)
    if P.base_quantization == "4bit":
        if gguf or is_tiny(P, key):
            raise ModelError(
                "base_quantization: 4bit is for models in folders or on the hub; set it to none for this one"
            )
        if here:
            _check_packing()
    if gguf and (damage := headers.gguf_damage(gguf)):
        raise ModelError(f"{key}: {gguf}: the file is cut off or damaged ({damage}); fetch it again")
    return name, gguf


def _check_packing() -> None:
    import torch

    if not torch.cuda.is_available():
        raise ModelError("base_quantization: 4bit needs a GPU with CUDA, and none is here; set it to none")
    if not find_spec("bitsandbytes"):
        raise ModelError("base_quantization: 4bit needs bitsandbytes: pip install bitsandbytes, or set it to none")


def is_tiny(P: Params, key: str) -> bool:
    """Whether the model that a key names is the one that the study builds itself."""
    return P.base_model == "tiny" and key == "base_model"


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
        if wrong := wrong_folder(place):
            raise ModelError(f"{key}: {place}: {wrong}")
        return str(place), None
    if place.is_file():
        raise ModelError(f"{key}: {place}: a single file is a model only as .gguf; else name the folder that holds it")
    try:
        validate_repo_id(source)
    except HFValidationError:
        raise ModelError(f"{key}: {not_found(source)} and its form is not that of a hub id (owner/name)") from None
    if place.parent != ROOT and place.parent.is_dir() and not cached(source):
        raise ModelError(
            f"{key}: {not_found(source)}; it is not looked for on the hub, as {place.parent} is a folder (if the hub's "
            f"model is meant: hf download {source})"
        )
    return source, None


def cached(source: str) -> Path | None:
    """The folder in which a hub id's files lie on this machine, as far as they were fetched; None where none were."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(source, "config.json")
    except HFValidationError:  # no hub id
        return None
    return Path(config).parent if isinstance(config, str) else None


def wrong_folder(place: Path) -> str:
    """Why a folder holds no model that can be loaded; empty where it may."""

    def holds(*patterns: str) -> bool:
        return any(any(place.glob(pattern)) for pattern in patterns)

    if not (place / "config.json").is_file():
        if (place / "adapter_config.json").is_file():
            return f"an adapter is no model; name the model that it was made on ({made_on(place)})"
        files = ", ".join(sorted(file.name for file in place.glob("*.[gG][gG][uU][fF]")))
        fix = f"name the file itself, one of: {files}" if files else "name the folder that holds it"
        return f"a folder without config.json is no model; {fix}"
    if not holds("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json"):
        return "a folder without a tokenizer (tokenizer.json); save the model's tokenizer into it"
    if holds("*.bin", "*.pt", "*.pth") and not holds("*.safetensors"):
        return "weights are read from .safetensors files alone (others can run code); save the model again as such"
    return ""


def made_on(adapter: Path) -> str:
    """The base that an adapter names as its own."""
    try:
        return read_json(adapter / "adapter_config.json")["base_model_name_or_path"]
    except (ValueError, LookupError, TypeError):
        return "its adapter_config.json is damaged and does not tell"


def not_found(source: str) -> str:
    return (
        f"{source!r} is no folder ({ROOT / Path(source).expanduser()} does not exist; check the spelling, a relative "
        "one counts from the project), no .gguf file (it would end in .gguf)"
    )
