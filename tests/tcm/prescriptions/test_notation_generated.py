"""Invented prescriptions in forty ways of writing: doses are read right, nothing is lost silently, no junk herbs."""

import random

import pytest
from invented_notation import WAYS, mixed, prescription

from tcm.knowledge import resolve_herb
from tcm.prescriptions.notation import read_prescription

N = 1000


def base(name):
    known = resolve_herb(name)
    return known.base if known else name


def compare(text, truth, packets):
    """Doses right, wrong without a word, and herbs that were never written; and whether the packets are right."""
    read = read_prescription(text)
    rest = [
        ((base(i.herb), i.dose, i.dose_high, i.unit), bool(guess))
        for i, guess in zip(read.items, read.guesses, strict=True)
    ]
    right, silent = 0, []
    for herb in truth:
        want = (base(herb.name), herb.dose, herb.high, herb.unit)
        found = next((entry for entry in rest if entry[0] == want), None)
        if found:
            rest.remove(found)
            right += 1
        elif not any(mark and entry[0] == want[0] for entry, mark in rest) and not read.unread:
            silent.append(want)
    written = {base(herb.name) for herb in truth}
    junk = [entry for entry, _ in rest if entry[0] not in written]
    return right, silent, junk, read.packets == packets


@pytest.fixture(scope="module")
def readings():
    dice = random.Random(16)
    drawn = [prescription(dice) if dice.random() < 0.8 else mixed(dice) for _ in range(N)]
    return [(way, text, truth, *compare(text, truth, packets)) for way, text, truth, packets in drawn]


def test_99_percent_of_doses_are_read_right(readings):
    doses = sum(len(truth) for _, _, truth, *_ in readings)
    wrong = [(way, text) for way, text, truth, right, *_ in readings if right < len(truth)]
    assert sum(right for _, _, _, right, *_ in readings) / doses >= 0.99, wrong[:5]


def test_no_dose_is_lost_silently(readings):
    assert [(way, text, silent) for way, text, _, _, silent, *_ in readings if silent] == []


def test_at_most_2_of_1000_herbs_were_never_written(readings):
    doses = sum(len(truth) for _, _, truth, *_ in readings)
    junk = [(way, text, junk) for way, text, _, _, _, junk, _ in readings if junk]
    assert sum(len(j) for *_, j in junk) / doses <= 0.002, junk[:5]


def test_packets_are_read(readings):
    assert [(way, text) for way, text, *_, same in readings if not same] == []


def test_every_way_is_drawn(readings):
    assert {way for way, *_ in readings} == {*WAYS, "mixed"}
