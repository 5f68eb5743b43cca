"""Text from others cannot control a terminal."""

import unicodedata

import pytest

from worker.text import printable


@pytest.mark.parametrize("lines", [False, True])
def test_no_control_character_is_left(lines: bool) -> None:
    """Every control character is escaped; the line feed is kept if `lines` is set."""
    text = "".join(map(chr, range(0x11000)))
    left = {c for c in printable(text, lines=lines) if unicodedata.category(c) in {"Cc", "Cs"}}
    assert ({"\n"} if lines else set()) == left


def test_readable_text_is_unchanged() -> None:
    """Letters, emoji and joiners are kept; other characters are escaped as in JSON."""
    assert "Grüße, 日本 👩‍🎨" == printable("Grüße, 日本 👩‍🎨")
    assert "\\u001b]0;x\\u0007 \\u009b1m \\u202e" == printable("\x1b]0;x\x07 \x9b1m \u202e")
