import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_is_named_is_there() -> None:
    text = (ROOT / "THREAT_MODEL.md").read_text()
    named = re.findall(r"`((?:unit|integration|browser)/\w+\.py)?(?:::(\w+))?`", text)
    path, count = Path(), 0
    for file, test in named:
        if file:
            path = ROOT / "tests" / file
            assert path.exists(), path
        if test:
            assert re.search(rf"^(?:async )?def {test}\(", path.read_text(), re.MULTILINE), test
        count += bool(file or test)
    assert count > 30
