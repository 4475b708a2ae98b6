"""Too little memory is told from a model's files, in one line, before any weight is read."""

import struct

import pytest
import tiny_model

from tcm_rlaif.models import loading, memory


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


@pytest.fixture
def gguf(tmp_path):
    """The header of a GGUF file with keys of every kind, and tensors of 7,000 million weights that are not in it."""
    keys = [
        text("general.name") + struct.pack("<I", 8) + text("七十亿"),
        text("general.file_type") + struct.pack("<II", 4, 2),
        text("tokens") + struct.pack("<IIQ", 9, 8, 3) + text("甲") + text("乙") + text("丙"),
        text("scores") + struct.pack("<IIQ", 9, 6, 3) + struct.pack("<3f", 1, 2, 3),
        text("nested") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 7, 2) + b"\1\0",
    ]
    tensors = [
        text("blocks") + struct.pack("<IQQQ", 3, 1000, 1000, 6999) + struct.pack("<IQ", 2, 0),
        text("norm") + struct.pack("<IQ", 1, 1_000_000) + struct.pack("<IQ", 0, 64),
    ]
    path = tmp_path / "large.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys + tensors))
    return path


def test_weights_are_counted_from_headers(gguf) -> None:
    model, _ = tiny_model.base()
    assert memory.weights_of("x", gguf) == 7_000_000_000
    assert memory.weights_of(str(tiny_model.folder())) == sum(p.numel() for p in model.parameters())


def test_what_cannot_be_counted_stops_nobody(tmp_path) -> None:
    (tmp_path / "cut.gguf").write_bytes(b"GGUF\3\0")
    assert memory.weights_of("x", tmp_path / "cut.gguf") is None
    assert memory.lacking(str(tmp_path), None, 2) == ""


def test_a_model_larger_than_the_free_memory_is_refused_before_it_is_loaded(gguf, monkeypatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: (8 * 2**30, "on this machine"))
    P = tiny_model.params(base_model=str(gguf), base_dtype="bfloat16")
    with pytest.raises(loading.ModelError) as refused:
        loading.load_base(str(gguf), P)
    said = str(refused.value)
    assert said.startswith(f"base_model: {gguf}: its 7,000 million weights take 13.0 GiB and 8.0 GiB are free on this")
    assert "take a smaller model" in said and "base_quantization: 4bit" in said and "\n" not in said


def test_a_packed_model_takes_a_quarter(gguf, monkeypatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: (8 * 2**30, "on the GPU"))
    assert memory.lacking("x", gguf, 2) and not memory.lacking("x", gguf, memory.PACKED)


def test_what_fits_is_loaded(tmp_path) -> None:
    source = str(tiny_model.folder())
    model, _ = loading.load_base(source, tiny_model.params(base_model=source))
    assert not model.training
