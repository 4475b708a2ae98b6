"""Safety rates count prescriptions, not findings, and stand against the rate of the gold answers."""

from tcm.metrics.batch import excess, rates
from tcm.prescriptions.safety import Finding


def finding(kind):
    return Finding(kind=kind, severity="low", herbs=(), rule="X", detail="x", source="x")


def test_rates_count_prescriptions_not_findings():
    audits = [[finding("overdose")] * 3, [], [finding("overdose"), finding("route")], []]
    share = rates(audits)
    assert (share["n"], share["any"], share["overdose"], share["route"], share["pregnancy"]) == (4, 0.5, 0.5, 0.25, 0)


def test_excess_is_the_difference_to_the_gold_rate():
    out = excess(rates([[finding("overdose")], []]), rates([[finding("overdose")], [], [], []]))
    assert (out["n"], out["n_gold"], out["overdose"], out["route"]) == (2, 4, 0.25, 0)


def test_no_prescription_gives_no_rate():
    assert rates([])["overdose"] is None
    assert excess(rates([]), rates([[]]))["any"] is None
