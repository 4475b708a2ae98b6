"""Work in one go leaves the search for garbage as it found it, also where it fails."""

import gc

import pytest

from tcm.files import in_one_go


@in_one_go
def work(fails: bool) -> bool:
    """Whether garbage is searched for meanwhile."""
    if fails:
        raise ValueError("as asked")
    return gc.isenabled()


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_search_goes_on_as_before(enabled: bool, fails: bool) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        if fails:
            with pytest.raises(ValueError, match="as asked"):
                work(fails)
        else:
            assert not work(fails)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
