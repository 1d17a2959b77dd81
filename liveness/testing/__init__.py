"""Test a liveness server without a camera and without a browser.

    pytest_plugins = ["liveness.testing.fixtures"]      # in the top conftest.py

    async def test_a_person_passes(liveness_server, puppet):
        check = await liveness_server.check(puppet)
        assert check.verdict.verdict == "live"

or, against a server that runs somewhere:

    from liveness.testing.peer import run_check
    from liveness.testing.portrait import Portrait
    from liveness.testing.puppet import Puppet

    puppet = Puppet(Portrait.astronaut())
    check = asyncio.run(run_check("https://localhost:5555", puppet, ssl=False))
    print(check.verdict, check.challenges)

- `fixtures`: a pytest plugin with `liveness_server`, `liveness_servers`, `portrait`, `puppet` and
  `make_puppet`.
- `peer`: `HeadlessPeer` and `run_check` publish a source, a video file or pictures over WHIP, and
  collect states and verdict.
- `puppet`: `Puppet`, a genuine person who does what is asked; a `Manner` makes them differ.
- `attackers`: photographs, prints, screens, two faces, looped recordings, an empty room.
- `source`: `Source`, what a peer publishes; implement `frame` and `react` for your own.
- `portrait`: `Portrait`, a photograph that turns and blinks, with ground truth; `clip`: a clip of
  all challenges made of one; `rehearsal`: a session without network and clock.

Needs the extra `testing`: `pip install "liveness[testing]"`.
"""
