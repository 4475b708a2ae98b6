"""The explore notebook of a finished study, executed, as one page: to look at without installing anything."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tcm_rlaif.report.page import EXPLORED, INDEX, REPORT, to_html, write_report
from tcm_rlaif.runner.kernel import PrivateKernelManager
from tcm_rlaif.study.params import ROOT, SNAPSHOT
from tcm_rlaif.study.plan import ABLATION, StageError, reports_folder, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE

SOURCE = ROOT / "notebooks" / "explore.ipynb"


def write_page(P: Params) -> Path:
    """Execute the notebook on a study and write `explore.html` beside its report, which links it from then on.

    The study itself is not touched.

    Args:
        P: names the study.

    Raises:
        StageError: if the notebook cannot be executed, e.g. where the study is not finished.
        ReportError: if the page has problems.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    if not (study_folder(P) / SNAPSHOT).is_file():
        raise StageError(f"study {P.study!r} was not run here; ./study run PARAMS runs it")
    if not (study_folder(P) / ABLATION / DONE).is_file():
        how_far = f"./study status {P.study} says how far it is, ./study run PARAMS goes on"
        raise StageError(f"study {P.study!r} is not finished; {how_far}")
    given = {"params_file": (study_folder(P) / SNAPSHOT).relative_to(ROOT).as_posix()}
    with TemporaryDirectory() as folder:
        executed = Path(folder) / SOURCE.name
        try:
            papermill.execute_notebook(
                SOURCE, executed, given, kernel_name="python3", language="python", cwd=SOURCE.parent,
                progress_bar=False, kernel_manager_class=PrivateKernelManager,
            )  # fmt: skip
        except PapermillExecutionError as error:
            raise StageError(f"{SOURCE.name}: cell {error.exec_count}: {error.evalue or error.ename}") from None
        page = to_html(executed, reports_folder(P) / EXPLORED, f"{P.study}: one case looked into", [REPORT, INDEX])
    write_report(study_folder(P), reports_folder(P))
    return page
