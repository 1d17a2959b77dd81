from pathlib import Path
from typing import Any

import pytest

from liveness.vision.card import Card, CardInvalid, Network, Output

CARD = """
name = "A small net"
threshold = 0.6

[[networks]]
file = "small.onnx"
width = 128
height = 96
layout = "NHWC"
mean = [104, 117, 123]
deviation = 127.5
crop = 1.3
output = "sigmoid"
live = 0
"""


def read(folder: Path, text: str) -> Card:
    path = folder / "card.toml"
    path.write_text(text, encoding="utf-8")
    return Card.read(path)


def test_a_card_says_how_its_network_is_fed(tmp_path: Path) -> None:
    card = read(tmp_path, CARD)
    (network,) = card.networks
    assert (card.name, card.threshold) == ("A small net", 0.6)
    assert (network.width, network.height, network.layout) == (128, 96, "NHWC")
    assert network.mean == (104, 117, 123)
    assert network.deviation == (127.5, 127.5, 127.5), "one number is for all three"
    assert (network.output, network.live, network.crop) == (Output.SIGMOID, 0, 1.3)
    assert network.channels == "RGB"
    assert network.sha256 is None
    assert network.light is None, "a network is shown what the camera saw"


def test_a_card_may_ask_for_light(tmp_path: Path) -> None:
    (network,) = read(tmp_path, CARD + "light = 110\n").networks
    assert network.light == 110


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("width = 128", "width = 4", "width"),
        ("height = 96", "height = 100000", "height"),
        ('"NHWC"', '"CHWN"', "layout"),
        ("deviation = 127.5", "deviation = [1, 0, 1]", "divides by zero"),
        ("deviation = 127.5", 'deviation = "much"', "deviation"),
        ("deviation = 127.5", "deviation = inf", "finite"),
        ("small.onnx", "../../etc/small.onnx", "beside the card"),
        ("small.onnx", "small.exe", "file"),
        ("live = 0", "live = 2", "classes 0 and 1"),
        ("live = 0", "live = -1", "live"),
        ("crop = 1.3", "crop = 0", "crop"),
        ("crop = 1.3", "crop = 1.3\nlight = 0", "light"),
        ("crop = 1.3", "crop = 1.3\nlight = 256", "light"),
        ("crop = 1.3", "crop = 1.3\nlight = nan", "light"),
        ("crop = 1.3", "crop = 1.3\nlight = 'much'", "light"),
        ("threshold = 0.6", "threshold = 6", "threshold"),
        ("threshold = 0.6", "treshold = 0.6", "treshold"),
        ("crop = 1.3", "crop = 1.3\nsha256 = 'abc'", "sha256"),
        ("name =", "name", "no TOML"),
        ("name =", f"deep = {'[' * 20_000}\nname =", "no TOML"),
        (CARD, "name = 'nothing else'", "networks"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in CARD
    with pytest.raises(CardInvalid, match=why) as raised:
        read(tmp_path, CARD.replace(old, new))
    assert "card.toml" in str(raised.value)
    assert "at least 1 item" not in str(raised.value), "a network with a mistake is there"


def test_bytes_that_are_no_text_are_no_card(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardInvalid, match="no TOML"):
        Card.read(path)


def network(**fields: Any) -> Network:
    given: dict[str, Any] = {"file": "a.onnx", "width": 80, "height": 80, "crop": 1, "live": 1}
    return Network(**(given | fields))


def test_classes_may_be_many() -> None:
    assert network(live=7).live == 7
