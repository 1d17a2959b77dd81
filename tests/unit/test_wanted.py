import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.api.wanted import ListWanted, Wanted, read_json, read_query
from liveness.errors import InvalidBody, RequestError, Unservable
from liveness.store import Record, Status
from tests.store_worker import record


def wanted(**body: Any) -> Wanted:
    return read_json(Wanted, json.dumps(body))


def test_metadata_are_taken_as_they_are() -> None:
    given = {"subject": "für 😀 \x00", "case": 4711, "x": 0.5, "whole": 2.0, "yes": True}
    taken = wanted(metadata=given).metadata
    assert taken == given
    assert [type(value) for value in taken.values()] == [str, int, float, float, bool]
    assert wanted().metadata == {}


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        "x",
        None,
        {"a": None},
        {"a": []},
        {"a": {"b": 1}},
        {"": 1},
        {"n" * 65: 1},
        {str(number): number for number in range(17)},
        {"a": "x" * 1100},
        {"a": "ü" * 600},
        {"a": 2**53},
        {"a": -(2**53)},
        {"a": 10**400},
        {"subject": ""},
        {"subject": True},
        {"subject": 1.5},
    ],
)
def test_other_metadata_are_refused(metadata: object) -> None:
    with pytest.raises(Unservable, match="metadata: "):
        wanted(metadata=metadata)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_is_taken_that_json_cannot_carry(number: str) -> None:
    with pytest.raises(RequestError):
        read_json(Wanted, f'{{"metadata": {{"a": {number}}}}}')
    with pytest.raises(RequestError):
        read_json(Wanted, f'{{"time_limit": {number}}}')


@pytest.mark.parametrize(
    "body",
    [
        *({"time_limit": limit} for limit in (0, "x", "30", True)),
        *({"success_url": 1}, {"failure_url": "/x"}, []),
    ],
)
def test_what_cannot_be_served_is_named(body: object) -> None:
    with pytest.raises(Unservable) as caught:
        read_json(Wanted, json.dumps(body))
    if isinstance(body, dict):
        assert caught.value.detail.startswith(f"{next(iter(body))}: ")


@pytest.mark.parametrize("limit", [30, 30.5, None])
def test_a_time_limit_is_a_number(limit: float | None) -> None:
    assert wanted(time_limit=limit).time_limit == limit


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=70), json_values, max_size=20) | json_values)
def test_metadata_that_are_taken_survive_the_store(metadata: object) -> None:
    with suppress(RequestError):
        taken = wanted(metadata=metadata).metadata
        assert len(json.dumps(taken, ensure_ascii=False).encode()) <= 1024
        kept = record("a", metadata=taken).model_dump_json()
        assert Record.model_validate_json(kept).metadata == taken == metadata


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda body: body.decode("latin-1")))
def test_any_body_is_read_or_refused(text: str) -> None:
    with suppress(InvalidBody, Unservable):
        read_json(Wanted, text)


def test_a_person_is_known_to_one_party_only_and_by_a_digest() -> None:
    known = wanted(metadata={"subject": "Jane"})
    assert known.subject_digest("bank") == known.subject_digest("bank")
    assert known.subject_digest("bank") != known.subject_digest("shop")
    assert "Jane" not in str(known.subject_digest("bank"))
    number, text = wanted(metadata={"subject": 7}), wanted(metadata={"subject": "7"})
    assert number.subject_digest("bank") == text.subject_digest("bank")
    assert wanted(metadata={"case": "Jane"}).subject_digest("bank") is None


def test_a_list_is_asked_for_by_status_and_page() -> None:
    assert read_query(ListWanted, {}).limit == 50
    place = "1700000000000000.6a0a2b6e-0000-4000-8000-000000000000"
    asked = read_query(ListWanted, {"status": "finished", "limit": "7", "after": place})
    assert (asked.status, asked.limit, asked.after) == (Status.FINISHED, 7, place)
    for query in (
        {"status": "over"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "x"},
        {"page": "2"},
    ):
        with pytest.raises(Unservable):
            read_query(ListWanted, query)
    for after in ("", "x", f"{place}+", "[", f"(\n{place}"):
        with pytest.raises(Unservable):
            read_query(ListWanted, {"after": after})
