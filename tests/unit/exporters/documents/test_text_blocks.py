"""Plain text as spans and blocks."""

from __future__ import annotations

import pytest

from dagorch.exporters.documents.text_blocks import safe_link


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "file:///etc/passwd", "//e.x",
        "/etc/passwd", "#top", "x.html", 'https://e.x/"x', "https://e.x/<b>",
        "https:// e.x", "vbscript:x", "",
    ],
)  # fmt: skip
def test_an_unsafe_address_is_removed(address: str) -> None:
    assert safe_link(address) == ""
