"""Weights are counted from headers, in the files that are read, and a GGUF file that was cut off is told from them."""

import json
import os
import shutil
import struct

import pytest
import tiny_model

from tcm_rlaif.models import headers


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


@pytest.fixture
def gguf(tmp_path):
    """The header of a GGUF file with keys of every kind, and 7,000 million weights that are a hole on the disk."""
    keys = [
        text("general.name") + struct.pack("<I", 8) + text("七十亿"),
        text("general.file_type") + struct.pack("<II", 4, 2),
        text("general.alignment") + struct.pack("<II", 4, 64),
        text("tokens") + struct.pack("<IIQ", 9, 8, 3) + text("甲") + text("乙") + text("丙"),
        text("scores") + struct.pack("<IIQ", 9, 6, 3) + struct.pack("<3f", 1, 2, 3),
        text("nested") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 7, 2) + b"\1\0",
    ]
    blocks, norm = 6_999_000_000, 1_000_000
    packed = blocks // 32 * 18  # bytes: Q4_0 keeps 32 weights in 18
    tensors = [
        text("norm") + struct.pack("<IQ", 1, norm) + struct.pack("<IQ", 0, packed),
        text("blocks") + struct.pack("<IQQQ", 3, 1000, 1000, 6999) + struct.pack("<IQ", 2, 0),
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys + tensors)
    path = tmp_path / "large.gguf"
    path.write_bytes(header)
    os.truncate(path, len(header) + -len(header) % 64 + packed + 4 * norm)
    return path


def test_weights_are_counted_from_headers(gguf) -> None:
    model, _ = tiny_model.base()
    assert headers.weights_of("x", gguf) == 7_000_000_000
    assert headers.weights_of(str(tiny_model.folder())) == sum(p.numel() for p in model.parameters())


def test_what_cannot_be_counted_stops_nobody(tmp_path) -> None:
    (tmp_path / "cut.gguf").write_bytes(b"GGUF\3\0")
    assert headers.weights_of("x", tmp_path / "cut.gguf") is None
    assert headers.weights_of(str(tmp_path)) is None


@pytest.mark.parametrize("sharded", [False, True])
def test_weights_that_lie_beside_in_the_form_of_another_program_are_not_counted_twice(tmp_path, sharded) -> None:
    folder = shutil.copytree(tiny_model.folder(), tmp_path / "model")
    number = headers.weights_of(str(folder))
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    if sharded:
        shard = (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard.name}}), "utf-8")
    assert headers.weights_of(str(folder)) == number


def test_a_folder_has_all_weights_when_every_file_of_its_index_is_there(tmp_path) -> None:
    assert not headers.all_weights(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}), "utf-8")
    (tmp_path / "1.safetensors").touch()
    assert not headers.all_weights(tmp_path)
    (tmp_path / "2.safetensors").touch()
    assert headers.all_weights(tmp_path)
    index.write_text("[]", "utf-8")
    assert not headers.all_weights(tmp_path)


def test_a_whole_gguf_file_is_not_damaged(gguf) -> None:
    assert headers.gguf_damage(gguf) == ""


def test_a_gguf_file_cut_off_by_one_byte_is_damaged(gguf) -> None:
    size = gguf.stat().st_size
    os.truncate(gguf, size - 1)
    assert headers.gguf_damage(gguf) == f"{size - 1:,} of its {size:,} bytes are there"


@pytest.mark.parametrize("bytes_left", [4, 8, 20, 30, 100, 300])
def test_a_gguf_file_cut_inside_its_header_is_damaged(gguf, bytes_left: int) -> None:
    os.truncate(gguf, bytes_left)
    assert headers.gguf_damage(gguf) == "its header cannot be read to the end"


def test_numbers_of_a_damaged_header_are_not_believed(tmp_path) -> None:
    path = tmp_path / "damaged.gguf"
    for byte in (b"\xff", b"\x09", b"\x7f"):
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + byte * 500)
        assert headers.gguf_damage(path)
