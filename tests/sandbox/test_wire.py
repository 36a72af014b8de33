import pytest

from nexudus_sandbox.wire import Request, Response, Router, parse_query


def answer(request: Request, by: str, record_id: str) -> Response:
    return Response(200, {}, f"{by} {record_id}".encode())


def test_an_exact_path_is_found_before_one_that_ends_in_an_id() -> None:
    router = Router()
    router.add("POST", "/things/{id}", answer, "Thing-Edit")
    router.add("POST", "/things/reorder", answer)
    exact, with_id = router.find(Request("POST", "/things/reorder")), router.find(Request("POST", "/things/7"))
    assert exact is not None
    assert (exact[0].role, exact[1]) == ("", "")
    assert with_id is not None
    assert (with_id[0].role, with_id[1]) == ("Thing-Edit", "7")


@pytest.mark.parametrize("request_", [Request("GET", "/things/7"), Request("POST", "/things/"), Request("POST", "/no")])
def test_what_no_route_answers_is_not_found(request_: Request) -> None:
    router = Router()
    router.add("POST", "/things/{id}", answer)
    assert router.find(request_) is None


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON object"):
        Request("POST", "/", body=b"[1]").object()


def test_blank_parameters_are_kept_and_the_last_of_two_counts() -> None:
    assert parse_query("a=&b=1&b=%5B2%5D") == {"a": "", "b": "[2]"}
