"""`./study look` tells at once, before any kernel starts, that a study has nothing to look at yet."""

import pytest

from tcm_rlaif.runner import look
from tcm_rlaif.study import params
from tcm_rlaif.study.plan import StageError

P = params.validated({"study": "mine"}, "look")


@pytest.mark.parametrize("written, told", [([], "was not run here"), ([params.SNAPSHOT], "./study status mine")])
def test_a_study_that_is_not_finished_is_refused_with_what_to_do(written, told, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(look, "study_folder", lambda _: tmp_path)
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("a kernel was started"))
    for name in written:
        (tmp_path / name).write_text("study: mine\n", "utf-8")
    with pytest.raises(StageError, match=told) as error:
        look.write_page(P)
    assert "./study run PARAMS" in str(error.value) and "\n" not in str(error.value)
