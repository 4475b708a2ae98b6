"""Too little memory is told from a model's files, in one line, before any weight is read."""

from pathlib import Path

import psutil
import pytest
import tiny_model

from tcm_rlaif.models import loading, memory


@pytest.fixture
def large(monkeypatch) -> str:
    """A model whose files say that it has 7,000 million weights."""
    monkeypatch.setattr(memory, "weights_of", lambda *_: 7_000_000_000)
    return str(tiny_model.folder())


def test_a_model_larger_than_the_free_memory_is_refused_before_it_is_loaded(large, monkeypatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: (8 * 2**30, "on this machine"))
    P = tiny_model.params(base_model=large, base_dtype="bfloat16")
    with pytest.raises(loading.ModelError) as refused:
        loading.load_base(large, P)
    said = str(refused.value)
    assert said.startswith(f"base_model: {large}: its 7,000 million weights take 13.0 GiB and 8.0 GiB are free on this")
    assert "take a smaller model" in said and "base_quantization: 4bit" in said and "\n" not in said


def test_a_packed_model_takes_a_quarter(large, monkeypatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: (8 * 2**30, "on the GPU"))
    assert memory.lacking(large, None, 2) and not memory.lacking(large, None, memory.PACKED)


def test_what_cannot_be_counted_stops_nobody(tmp_path) -> None:
    assert memory.lacking(str(tmp_path), None, 2) == ""


def test_what_fits_is_loaded() -> None:
    source = str(tiny_model.folder())
    model, _ = loading.load_base(source, tiny_model.params(base_model=source))
    assert not model.training


# ---- control groups: a container, a job of a scheduler


@pytest.fixture
def groups(tmp_path, monkeypatch) -> Path:
    """An empty tree of control groups; nothing else limits memory."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    return tmp_path / "cgroup"


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, "utf-8")


def test_the_limit_of_a_container_is_the_memory_that_is_free(groups) -> None:
    group(groups, memory__max="3000\n", memory__stat="anon 1000\nfile 900\n")
    memory.OWN_GROUPS.write_text("0::/\n", "utf-8")
    assert memory.free_memory() == (2000, "within the limit that a container or scheduler sets here")


def test_the_tightest_of_nested_groups_counts(groups) -> None:
    group(groups / "job", memory__max="5000", memory__stat="anon 4000\n")
    group(groups / "job/step", memory__max="max", memory__stat="anon 10\n")
    memory.OWN_GROUPS.write_text("0::/job/step\n", "utf-8")
    assert memory.free_memory()[0] == 1000


def test_version_1_of_the_groups_is_read_too(groups) -> None:
    group(groups / "memory", memory__limit_in_bytes="7000", memory__stat="rss 1\ntotal_rss 500\n")
    memory.OWN_GROUPS.write_text("5:cpu,cpuacct:/x\n4:memory:/not/seen/from/here\n0::/\n", "utf-8")
    assert memory.free_memory()[0] == 6500


@pytest.mark.parametrize("own", ["", "0::/\n", "4:memory:/\n"])
def test_without_a_limit_the_memory_of_the_machine_counts(groups, own: str) -> None:
    group(groups, memory__max="max", memory__stat="anon 1\n")
    group(groups / "memory", memory__limit_in_bytes=str(2**63 - 4096), memory__stat="total_rss 1\n")
    memory.OWN_GROUPS.write_text(own, "utf-8")
    free, where = memory.free_memory()
    assert where == "on this machine" and free == pytest.approx(psutil.virtual_memory().available, rel=0.5)
