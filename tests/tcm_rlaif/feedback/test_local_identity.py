"""A judgement of a local model is not taken for one of the same model with other weights, packed or of another type."""

from types import SimpleNamespace

from tcm_rlaif.feedback.judges.local import LocalJudge


def test_packed_weights_and_other_types_are_another_judge() -> None:
    models = [
        SimpleNamespace(dtype=dtype, is_quantized=packed) for dtype in ("float32", "bfloat16") for packed in (0, 1)
    ]
    said = [str(LocalJudge(model, None, model_name="m").identity("pairwise")) for model in models]
    assert len(set(said)) == 3  # packed ones compute in either type: that is rounding
