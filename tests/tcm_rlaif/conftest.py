"""A study written by hand, as the tests of evaluation and report need it."""

import pytest
import written_study

from tcm_rlaif.evaluation import ablation


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """06_ablation of a study whose earlier stages are written by hand."""
    with written_study.opened(tmp_path_factory.mktemp("project")) as opened:
        yield opened


@pytest.fixture(scope="module")
def evidence(stage):
    """What that study found."""
    return ablation.collect(stage)


@pytest.fixture(scope="module")
def model():
    """The tiny model and its tokenizer, loaded once for a file that does not change them."""
    import tiny_model

    return tiny_model.base()
