from nexudus_sandbox.throttle import Throttle, Window


def test_the_call_after_the_last_allowed_one_is_refused_until_the_window_has_passed() -> None:
    throttle = Throttle([Window(2, 60)], style="429")
    assert throttle.refuse(0, write=False) is None
    assert throttle.refuse(10, write=False) is None
    refusal = throttle.refuse(20, write=False)
    assert refusal is not None
    assert (refusal.status, refusal.body) == (429, b"Wait 40.00 seconds")
    assert throttle.refuse(60, write=False) is None


def test_a_refused_call_does_not_count() -> None:
    throttle = Throttle([Window(1, 10)])
    assert throttle.refuse(0, write=False) is None
    assert all(throttle.refuse(at, write=False) is not None for at in range(1, 10))
    assert throttle.refuse(10, write=False) is None


def test_reads_leave_the_writes_window_alone() -> None:
    throttle = Throttle([Window(1, 60, writes=True)])
    assert throttle.refuse(0, write=True) is None
    assert throttle.refuse(1, write=False) is None
    assert throttle.refuse(1, write=True) is not None


def test_refusals_alternate_between_the_two_forms_that_are_known() -> None:
    throttle = Throttle([Window(1, 60)])
    throttle.refuse(0, write=False)
    first, second = throttle.refuse(0.5, write=False), throttle.refuse(0.5, write=False)
    assert first is not None
    assert second is not None
    assert (first.status, first.headers["Retry-After"], first.body) == (409, "60", b"")
    assert (second.status, second.body) == (429, b"Wait 59.50 seconds")


def test_the_strictest_window_says_how_long_to_wait() -> None:
    throttle = Throttle([Window(1, 5), Window(1, 50)], style="429")
    throttle.refuse(0, write=False)
    refusal = throttle.refuse(1, write=False)
    assert refusal is not None
    assert refusal.body == b"Wait 49.00 seconds"


def test_a_scaled_window_passes_as_much_faster() -> None:
    throttle = Throttle([Window(1, 3600)], time_scale=0.01, style="409")
    throttle.refuse(0, write=False)
    assert throttle.refuse(35, write=False) is not None
    assert throttle.refuse(36, write=False) is None
