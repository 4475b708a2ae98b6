"""What is measured of a machine stays a speed while something else keeps the machine busy."""

import pytest
import tiny_model

from tcm_rlaif.runner import probe


@pytest.mark.parametrize(("one", "said"), [(1.0, 32.0), (2.5, 51.2), (4.0, 51.2), (9.0, 51.2)])
def test_a_slow_first_token_does_not_make_the_others_free(one: float, said: float, monkeypatch) -> None:
    """5 seconds for 8 answers of 17 tokens; the pass with one token took `one`, at times longer than all of them."""
    times = iter([1.0, one, 5.0, 1.0])
    monkeypatch.setattr(probe, "_fastest", lambda work: next(times))
    model, _ = tiny_model.base()
    rates = probe.measure(model, [[1] * 32] * 8, tiny_model.params(sft_batch_size=8), 8)
    assert rates.said == pytest.approx(said)
