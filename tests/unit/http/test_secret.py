"""A secret shows its key nowhere, and scrubs it from texts and logs."""

from __future__ import annotations

import copy
import gc
import json
import logging
import pickle

import pytest

from dagorch.http.secret import _HIDDEN, Secret

MARKER = "sk-MARKER-0123456789abcdef"


@pytest.fixture(autouse=True)
def httpx_logger(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable httpx's logger, which import-linter disables when it runs earlier."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", False)


def test_a_deleted_key_is_removed_from_the_log_filter() -> None:
    gc.collect()
    before = len(_HIDDEN)
    one = Secret(MARKER)
    one.hide_in_logs()
    assert len(_HIDDEN) == before + 1
    del one
    gc.collect()
    assert len(_HIDDEN) == before


def test_a_short_placeholder_is_not_hidden(caplog: pytest.LogCaptureFixture) -> None:
    Secret("k").hide_in_logs()
    logging.getLogger("httpx").info("a kept %s", "key")
    assert caplog.messages == ["a kept key"]


def test_a_secret_does_not_show_its_key() -> None:
    one = Secret(MARKER, "the other")
    assert not [text for text in (repr(one), str(one), f"{one}") if MARKER[:20] in text]
    assert one.scrub(f"{MARKER} and the other") == "*** and ***"
    assert not Secret()
    assert Secret().scrub("as it was") == "as it was"
    assert json.dumps(repr(Secret()))


def test_a_secret_is_copied_but_not_pickled() -> None:
    one = Secret(MARKER)
    assert copy.copy(one) is one
    assert copy.deepcopy([one])[0] is one
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(one)
