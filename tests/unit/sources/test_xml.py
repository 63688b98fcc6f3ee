"""XML from services: refused if it is broken or dangerous."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagorch.sources.xml import parse_xml


@pytest.mark.parametrize(
    "body",
    [b"", b"<a>", b"no xml", b"<a/><b/>", b"\xff\xfe", b"<a>" * 200 + b"</a>" * 200],
    ids=["empty", "open", "text", "two", "bytes", "deep"],
)
def test_a_body_that_is_not_xml_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        parse_xml(body)


def test_an_external_entity_is_not_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    body = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'
    with pytest.raises(ValueError, match="declares the entity"):
        parse_xml(body.encode())
    outside = f'<!DOCTYPE a SYSTEM "{secret.as_uri()}"><a>b</a>'
    assert parse_xml(outside.encode()).text == "b"
