"""Feeds from services, broken in every way."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from dagorch.sources.feeds import read_feed


@given(st.binary(max_size=200))
def test_the_feed_reader_accepts_any_bytes(body: bytes) -> None:
    try:
        read_feed(body, "x")
    except ValueError:
        return


def test_any_entry_is_parsed_quickly() -> None:
    for text in (b"<![CDATA[" + b"<a <!-- <![ " * 200_000 + b"]]>", b"&lt;div&gt;" * 200_000):
        entry = b"<item><title>x</title><link>http://e/1</link><description>%s</description></item>"
        start = time.process_time()
        assert len(read_feed(b"<rss><channel>" + entry % text + b"</channel></rss>", "x")) == 1
        assert time.process_time() - start < 5
