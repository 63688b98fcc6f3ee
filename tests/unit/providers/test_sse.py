from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch.providers.sse import SSEDecoder
from dagorch.providers.wire import WireError


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n")).map(lambda t: f"x{t}")),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 10_000)),
)
def test_events_are_the_same_wherever_the_bytes_are_cut(
    texts: list[str], newline: str, cuts: list[int]
) -> None:
    body = "".join(f"data: {text}{newline}{newline}" for text in texts).encode()
    ends = sorted({cut % (len(body) + 1) for cut in cuts} | {0, len(body)})
    decoder = SSEDecoder()
    found = [data for start, end in pairwise(ends) for data in decoder.feed(body[start:end])]
    assert [*found, *decoder.flush()] == texts


def test_data_of_several_lines_and_a_last_event_without_its_empty_line() -> None:
    decoder = SSEDecoder()
    assert list(decoder.feed(b'data: {"a":\ndata: 1}\n\nevent: x\n\ndata:last')) == ['{"a":\n1}']
    assert list(decoder.flush()) == ["last"]


def test_an_endless_event_is_refused() -> None:
    with pytest.raises(WireError):
        list(SSEDecoder().feed(b"x" * 4_000_001))
