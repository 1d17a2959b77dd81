import pytest

from bench.stages import STAGES, find


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_timed_is_there(stage: str) -> None:
    for name in STAGES[stage]:
        owner, function = find(name)
        assert callable(getattr(owner, function)), name
