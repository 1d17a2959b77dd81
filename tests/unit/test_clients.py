from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from liveness.clients import ADDRESS_LIFETIME, NAMED_LIFETIME, Clients

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_a_session_is_one_client_wherever_it_comes_from() -> None:
    clients = Clients()
    first = clients.visit("one", None, HERE, 0.0)
    assert first.cookie is None
    assert clients.visit("one", "any", THERE, 1.0).clients == first.clients
    assert clients.visit("two", None, HERE, 1.0).clients[0] is not first.clients[0]


def test_cookies_are_made_as_told() -> None:
    clients = Clients(mint=iter(("first", "second")).__next__)
    assert clients.visit(None, None, HERE, 0.0).cookie == "first"
    assert clients.visit(None, "unknown", HERE, 0.0).cookie == "second"
    assert clients.visit(None, "second", HERE, 0.0).cookie == "second", "to be kept for longer"


def test_without_cookies_the_address_tells() -> None:
    clients = Clients()
    first = clients.visit(None, None, HERE, 0.0)
    assert clients.visit(None, None, HERE, 1.0).clients[0] is first.clients[0]
    assert clients.visit(None, None, THERE, 1.0).clients[0] is not first.clients[0]


def test_a_cookie_remembers_its_own_first_picture_and_nobody_elses() -> None:
    clients = Clients()
    other = clients.visit(None, None, HERE, 0.0)
    for client in other.clients:
        client.scores.add(0.1)
    mine = clients.visit(None, None, HERE, 1.0)
    for client in mine.clients:
        client.scores.add(0.9)
    again = clients.visit(None, mine.cookie, HERE, 2.0)
    assert again.cookie == mine.cookie
    assert again.clients[0].scores.average == 0.9
    assert clients.visit(None, mine.cookie, THERE, 3.0).clients == again.clients


def test_who_turns_out_to_keep_cookies_leaves_nothing_to_the_next_at_the_address() -> None:
    clients = Clients()
    mine = clients.visit(None, None, HERE, 0.0)
    clients.visit(None, mine.cookie, HERE, 1.0)
    assert not set(clients.visit(None, None, HERE, 2.0).clients) & set(mine.clients)


def test_who_keeps_none_is_still_known_after_another_does() -> None:
    clients = Clients()
    without = clients.visit(None, None, HERE, 0.0)
    keeping = clients.visit(None, None, HERE, 1.0)
    clients.visit(None, keeping.cookie, HERE, 2.0)
    assert clients.visit(None, None, HERE, 3.0).clients[0] is without.clients[0]


def test_who_keeps_cookies_is_never_taken_for_another_at_the_same_address() -> None:
    clients = Clients()
    other = clients.visit(None, None, HERE, 0.0)
    first = clients.visit(None, None, None, 1.0)
    assert not set(first.clients) & set(other.clients)
    assert not set(clients.visit(None, None, None, 2.0).clients) & set(first.clients)
    assert clients.visit(None, first.cookie, None, 3.0).clients == first.clients


def test_nobody_chooses_a_cookie() -> None:
    clients = Clients()
    first = clients.visit(None, "chosen", HERE, 0.0)
    second = clients.visit(None, "chosen", HERE, 1.0)
    assert first.cookie not in {None, "chosen", second.cookie}
    assert first.clients[0] is not second.clients[0]


def test_names_of_different_kinds_are_different() -> None:
    clients = Clients()
    named = clients.visit(HERE, None, THERE, 0.0).clients[0]
    assert clients.visit(None, None, HERE, 0.0).clients[0] is not named
    assert clients.visit(None, HERE, HERE, 0.0).clients[0] is not named


def test_clients_are_forgotten() -> None:
    clients = Clients()
    by_address = clients.visit(None, None, HERE, 0.0).clients[0]
    by_name = clients.visit("name", None, HERE, 0.0).clients[0]
    later = ADDRESS_LIFETIME + 1
    assert clients.visit(None, None, HERE, later).clients[0] is not by_address
    assert clients.visit("name", None, HERE, later).clients[0] is by_name
    clients.visit("other", None, HERE, later + NAMED_LIFETIME + 1)
    assert len(clients) == 1, "nothing is kept of those whose time is over"


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=80))
def test_there_is_room_for_so_many(visits: list[tuple[int, bool]]) -> None:
    clients = Clients(most=10)
    for time, (name, named) in enumerate(visits):
        session, address = (str(name), HERE) if named else (None, f"192.0.2.{name}")
        found = clients.visit(session, None, address, float(time)).clients[0]
        assert len(clients) <= 10
        assert clients.visit(session, None, address, float(time)).clients[0] is found


class People(RuleBasedStateMachine):
    """Some with cookies, some with sessions: each finds its own pictures only."""

    def __init__(self) -> None:
        super().__init__()
        self.clients = Clients(most=12)
        self.time = 0.0
        self.cookies: dict[int, str | None] = {}

    @rule(who=st.integers(0, 5), wait=st.floats(0, 100))
    def send_with_a_cookie(self, who: int, wait: float) -> None:
        self.time += wait
        found = self.clients.visit(None, self.cookies.get(who), HERE, self.time)
        if who in self.cookies:
            self.sent(f"cookie {who}", found.clients[0])
        else:
            self.sent(f"cookie {who}", found.clients[1])
        self.cookies[who] = found.cookie or self.cookies.get(who)

    @rule(who=st.integers(0, 5), wait=st.floats(0, 100))
    def send_with_a_session(self, who: int, wait: float) -> None:
        self.time += wait
        self.sent(f"session {who}", self.clients.visit(str(who), None, HERE, self.time).clients[0])

    def sent(self, who: str, client: object) -> None:
        assert getattr(client, "belongs_to", who) == who
        client.belongs_to = who  # type: ignore[attr-defined]

    @invariant()
    def it_does_not_grow(self) -> None:
        assert len(self.clients) <= 12


TestPeople = People.TestCase
