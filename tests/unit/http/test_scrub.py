"""Keys are removed wherever they stand; words that look a little like keys stay."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dagorch.http.scrub import Scrubber, remove_secrets, scrub_text

KEYS = [
    "sk-proj-0123456789abcdefABCDEF", "xai-0123456789abcdefghij", "gsk_0123456789abcdefghij",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345", "gho_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_11ABCDEFG0123456789_abcdefghij", "glpat-0123456789abcdefghij",
    "AKIAIOSFODNN7EXAMPLE", "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "ya29.a0AfH6SMB0123456789abcdef", "xoxb-123456789012-abcdefABCDEF",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "Bearer 0123456789abcdef", "xai-ABCDEFGHIJKLMNOPQRSTUVWX", "Bearer abc.def-ghi",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0\n-----END RSA PRIVATE KEY-----",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
@pytest.mark.parametrize("frame", ["{}", "the key {} expired", '"{}"', "({}),", "a={}\n", "[{}]"])
def test_a_key_is_removed_from_a_text(key: str, frame: str) -> None:
    assert scrub_text(frame.format(key)) == frame.format("***")


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("postgres://me:p%40ss@db:5432/x", "postgres://***@db:5432/x"),
        ("https://:secret@host/", "https://***@host/"),
        (f"Basic {base64.b64encode(b'me:secret').decode()}", "Basic ***"),
        ('{"Authorization": "abc"}', '{"Authorization": "***"}'),
        ("headers = {'x-api-key': 'abc'}", "headers = {'x-api-key': \"***\"}"),
        ('password="hunter2"', 'password="***"'),
        ('{"password": "with \\"quotes\\" in it", "a": 1}', '{"password": "***", "a": 1}'),
    ],
)
def test_logins_and_fields_are_removed_from_a_text(text: str, scrubbed: str) -> None:
    assert scrub_text(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "Basic knowledge of basic understanding", "Bearer instruments and bearer-certificates",
        "key-performance-indicators-of-2026", "key_performance_indicators_by_quarter",
        "hf_transformers_library_for_everyone", "sk-learn-something-new-every-day",
        "https://example.org:8080/a@b", "see http://a/b:c@d", "a ghp_short one", "AKIA and eyJ",
        "the password is a word", "authorization: required", "max_tokens=500", "",
    ],
)  # fmt: skip
def test_other_words_stay(text: str) -> None:
    assert scrub_text(text) == text


@pytest.mark.parametrize(
    ("secret", "text", "scrubbed"),
    [
        ("k", "check the key", "check the key"),
        ("ollama", "ollama runs", "ollama runs"),
        ("password", "passwords; password.", "passwords; ***."),
        ("0123456789abcdef", "x0123456789abcdefx", "x***x"),
        ("", "as it was", "as it was"),
        ("a.c+e*g(i", "abc a.c+e*g(i", "abc ***"),
    ],
)
def test_a_known_secret_is_removed_as_a_word(secret: str, text: str, scrubbed: str) -> None:
    assert remove_secrets(text, [secret]) == scrubbed


def test_fields_with_the_names_of_secrets_are_hidden_at_any_depth() -> None:
    value: dict[str, Any] = {
        "extra": {"headers": {"Proxy-Authorization": ["abc"], "Cookie": {"session": "abc"}}},
        "apiKey": "abc", "access_token": "abc", "client_secret": "abc", "user_password": "abc",
        "calls": [{"arguments": json.dumps({"deep": {"authorization": "abc"}})}],
    }  # fmt: skip
    scrubbed = json.dumps(Scrubber()(value))
    assert "abc" not in scrubbed
    kept = {"max_tokens": 5, "tokens": "abc", "secret_ingredient": "salt", "key": "abc", "n": None}
    assert Scrubber()(kept) == kept


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ-", "eyJ.", "eyJaaaaaaaa.", "sk-", "sk_a-", "key-", "a-", "Bearer ", "Basic ", "://",
        "://a:", "-----BEGIN PRIVATE KEY-----", "password", "api_key:", '"password": "', "'",
        "ya29.", "a.b-", "AKIA",
    ],
)  # fmt: skip
def test_a_hostile_text_takes_linear_time(piece: str) -> None:
    """In quadratic time it would not end."""
    text = piece * (1_000_000 // len(piece))
    assert len(scrub_text(text)) <= len(text)
