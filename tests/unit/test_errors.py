from collections.abc import Iterator

import pytest

from liveness import errors


def family(kind: type[errors.LivenessError]) -> Iterator[type[errors.LivenessError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from family(each)


@pytest.mark.parametrize("kind", list(family(errors.RequestError)))
def test_a_bad_request_is_the_clients_fault(kind: type[errors.RequestError]) -> None:
    assert 400 <= kind.status < 500


def test_every_leaf_has_a_name_of_its_own() -> None:
    kinds = list(family(errors.LivenessError))
    leaves = [kind for kind in kinds if not kind.__subclasses__()]
    assert len({kind.code for kind in leaves}) == len(leaves)
    assert len({kind.title for kind in leaves}) == len(leaves)


def test_an_error_without_detail_tells_its_title() -> None:
    assert errors.NotFound().detail == errors.NotFound.title == str(errors.NotFound())
    assert errors.NotFound("No such thing").detail == "No such thing"


def test_who_is_refused_is_told_how_to_come_in() -> None:
    assert errors.Unauthorized().headers["WWW-Authenticate"].startswith("Bearer")
    assert errors.ServerFull(retry_after=7).headers == {"Retry-After": "7"}
