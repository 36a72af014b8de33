import pytest

from nexudus_sync.connectors.offset import against_ours


@pytest.mark.parametrize("seconds", [0.0, 0.4, -0.4, -0.0])
def test_a_clock_less_than_half_a_second_off_is_in_step(seconds: float) -> None:
    assert against_ours(seconds) == "the server's clock is in step with ours"


@pytest.mark.parametrize(("seconds", "said"), [(61.2, "+61 s"), (-2.6, "-3 s")])
def test_a_clock_that_is_off_is_told_with_its_sign(seconds: float, said: str) -> None:
    assert against_ours(seconds) == f"the server's clock is {said} from ours; its times are corrected by that"
