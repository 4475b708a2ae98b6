"""Freed memory is kept for the next step, in any process that loads or makes a model; what the user set wins."""

import ctypes
import os
import subprocess
import sys

import pytest

from tcm_rlaif.models import tiny
from tcm_rlaif.study.schema import Params

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="another allocator than glibc's"
)

# page faults of a block of 192 MiB that is taken, written and freed for the third time; 49,152 pages of 4 KiB
AGAIN = """
import resource, torch
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(48 * 2**20)
print("faults", resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
MODEL = """
import sys
from transformers import AutoTokenizer
from tcm_rlaif.models import loading, tiny
from tcm_rlaif.study.schema import Params
P = Params(base_hidden=32, base_layers=2, base_vocabulary=768, base_patterns=12, base_dtype="float32")
"""
LOADED = MODEL + "model = loading.load_base(sys.argv[1], P)\n"
MADE = MODEL + "model = tiny.new_tiny(P, AutoTokenizer.from_pretrained(sys.argv[1]))\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A saved model of random weights with its tokenizer."""
    P = Params(base_hidden=32, base_layers=2, base_vocabulary=768, base_patterns=12, base_dtype="float32")
    tokenizer = tiny.train_tokenizer(P)
    place = tmp_path_factory.mktemp("model") / "base"
    tiny.save_whole(tiny.new_tiny(P, tokenizer), tokenizer, place)
    return str(place)


def faults(code: str, folder: str = "", **environment: str) -> int:
    """What a fresh process counts that ran this code on the model in the folder."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    paths = os.pathsep.join(p for p in sys.path if p)
    ran = subprocess.run(
        [sys.executable, "-c", code + AGAIN, folder], env={**inherited, "PYTHONPATH": paths, **environment},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(ran.stdout.rsplit("faults ", 1)[1])


def test_by_itself_every_large_block_is_taken_anew() -> None:
    assert faults("") > 10_000


@pytest.mark.parametrize("begin", [LOADED, MADE], ids=["loaded", "made"])
def test_with_a_model_on_the_processor_a_large_block_is_found_again(begin: str, folder: str) -> None:
    assert faults(begin, folder) < 100


def test_what_the_user_set_in_the_environment_wins(folder: str) -> None:
    assert faults(LOADED, folder, MALLOC_MMAP_MAX_="65536") > 10_000
