"""Every line of the corpus of invented prescriptions is read as it says: herbs, doses, packets, marks, the unread."""

import json
import os
import re
from pathlib import Path

import pytest

from tcm.knowledge import resolve_herb
from tcm.prescriptions.notation import read_prescriptions
from tcm.prescriptions.writing import write_number

CORPUS = Path(__file__).with_name("notation_corpus.txt")
LINES = [line for line in CORPUS.read_text("utf-8").splitlines() if " => " in line and not line.startswith("#")]


def as_written(read):
    """A reading in the notation of the corpus; the unread apart."""
    words = []
    for item, guess in zip(read.items, read.guesses, strict=True):
        known = resolve_herb(item.herb)
        low = "" if item.dose is None else write_number(item.dose)
        high = "" if item.dose_high is None else f"-{write_number(item.dose_high)}"
        unit = item.unit if low and item.unit != "g" else ""
        words.append(("?" if guess else "") + (known.base if known else item.herb) + low + high + unit)
    return words + ([f"{read.packets}剂"] if read.packets else []) + (["relative"] if read.relative else [])


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read_as_it_says(line):
    text, _, right = line.partition(" => ")
    right, _, previous = right.partition(" <= ")
    text = text.replace("\\n", "\n").replace("\\t", "\t")
    prescriptions = read_prescriptions(text, previous.strip() or None)
    parts = re.split(r"\s*@(internal|external)\s*", right) if "@" in right else ["", "", right]
    uses, bodies = parts[1::2], [body.split() for body in parts[2::2]]
    assert len(prescriptions) == len(bodies)
    for read, use, body in zip(prescriptions, uses, bodies, strict=True):
        assert sorted(as_written(read)) == sorted(word for word in body if not word.startswith("!"))
        assert not use or read.use == use
        named = [word[1:] for word in body if word.startswith("!")]
        assert all(any(name in piece for piece in read.unread) for name in named), read.unread
        assert bool(named) == bool(read.unread), read.unread


def test_the_corpus_is_large():
    assert len(set(LINES)) == len(LINES) >= 300


INPUTS = Path(os.environ.get("TCM_INPUTS", Path(__file__).resolve().parents[4] / "shared" / "inputs"))


def base(name):
    known = resolve_herb(name)
    return known.base if known else name


def test_the_shared_inputs_read_as_stated():
    path = INPUTS / "prescriptions.jsonl"
    if not path.exists():
        pytest.skip(f"no shared inputs at {path}; set TCM_INPUTS to the folder that holds prescriptions.jsonl")
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        read = read_prescriptions(row["text"], row.get("previous"))
        right = row.get("prescriptions", [row])
        assert len(read) == len(right), row["id"]
        for one, want in zip(read, right, strict=True):
            sure = [i for i, guess in zip(one.items, one.guesses, strict=True) if not guess]
            herbs = [(base(i.herb), i.dose if i.unit == "g" else f"{write_number(i.dose)}{i.unit}") for i in sure]
            assert sorted(herbs, key=str) == sorted([(base(h), d) for h, d in want["herbs"]], key=str), row["id"]
            assert one.packets == want.get("packets"), row["id"]
            assert one.use == want.get("use", "internal"), row["id"]
            marked = len(one.items) > len(sure)
            assert ("reported" in row) == marked, row["id"]
