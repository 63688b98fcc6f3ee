"""Each source on the web against a loopback server that answers as its service documents."""

from __future__ import annotations

import gzip
import time
import traceback
import tracemalloc
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dagorch.errors import (
    DefinitionError,
    SourceError,
    SourceLimitedError,
    SourceRefusedError,
    SourceReplyError,
    SourceUnavailableError,
)
from dagorch.http import addresses
from dagorch.sources import Arxiv, Crossref, GitHub, HackerNews, News, Wikipedia
from tests import services
from tests.servers import Connection, ModelServer, Request, closed_port, reply
from tests.services import SERVICES, Service

EACH = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
QUESTION = "How do bees see polarised light?"


def asked(seen: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(seen.path).query).items()}


@EACH
async def test_records_become_findings_and_malformed_ones_are_counted(service: Service) -> None:
    with ModelServer(reply(200, service.page(1, 2, odd=True))) as server:
        source = service.source(server.url)
        found = await source.search(QUESTION, 10)
    assert len(found) == 2
    assert found.skipped == service.odd
    first = found[0]
    assert (first.title, first.url, first.date) == (service.title, service.url, service.date)
    assert first.source == source.name
    assert "<" not in first.text
    assert server.requests[0].headers["user-agent"].startswith("dagorch/")


@EACH
async def test_the_limit_is_kept(service: Service) -> None:
    with ModelServer(reply(200, service.page(1, 2, 3))) as server:
        assert len(await service.source(server.url).search(QUESTION, 2)) == 2
        assert len(server.requests) == 1


@EACH
async def test_an_empty_search_sends_no_request(service: Service) -> None:
    with ModelServer(reply(200, service.page(1))) as server:
        source = service.source(server.url)
        assert await source.search("?!", 5) == []
        assert await source.search(QUESTION, 0) == []
        assert not server.requests


@EACH
@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, SourceRefusedError, False),
        (401, SourceRefusedError, False),
        (403, SourceRefusedError, False),
        (404, SourceRefusedError, False),
        (429, SourceLimitedError, True),
        (500, SourceUnavailableError, True),
        (503, SourceUnavailableError, True),
    ],
)
async def test_a_refusal_names_the_source_the_reason_and_a_remedy(
    service: Service, status: int, kind: type[SourceError], retryable: bool
) -> None:
    with ModelServer(reply(status, b"<html><body>Sorry, <b>no</b>.</body></html>")) as server:
        source = service.source(server.url)
        with pytest.raises(kind, match=f"^{source.name}: answered {status}: Sorry, no") as caught:
            await source.search(QUESTION, 5)
    assert (caught.value.status, caught.value.source) == (status, source.name)
    assert caught.value.retryable is retryable
    assert "; " in str(caught.value)


@EACH
@pytest.mark.parametrize(
    "body",
    [b"<html>Login</html>", b"\xff\xfe\x00", b"[]", b'"x"', b"{" * 100_000, b'{"a": 1'],
    ids=["html", "bytes", "list", "text", "deep", "broken"],
)
async def test_an_undocumented_reply_is_an_error(service: Service, body: bytes) -> None:
    with ModelServer(reply(200, body)) as server:
        with pytest.raises(SourceError) as caught:
            await service.source(server.url).search(QUESTION, 5)
        assert isinstance(caught.value, SourceReplyError | SourceRefusedError)


@EACH
async def test_an_unreachable_service(service: Service) -> None:
    with closed_port() as address, pytest.raises(SourceUnavailableError, match="no exchange with"):
        await service.source(address).search(QUESTION, 5)


@EACH
async def test_a_silent_service_times_out(service: Service) -> None:
    async def silent(seen: Request, wire: Connection) -> None:
        await wire.wait_for_disconnect()

    with ModelServer(silent) as server:
        source = service.source(server.url, timeout_seconds=0.2)
        with pytest.raises(SourceUnavailableError):
            await source.search(QUESTION, 5)
        server.wait_until(lambda s: s.open == 0)


async def test_a_reply_without_end_is_cut_off() -> None:
    async def endless(seen: Request, wire: Connection) -> None:
        await wire.head(200, {"content-type": "application/json"})
        while True:
            wire.writer.write(b" " * 1_000_000)
            await wire.writer.drain()

    with ModelServer(endless) as server:
        with pytest.raises(SourceReplyError, match="more than 8,000,000 bytes"):
            await HackerNews(server.url, delay_seconds=0).search(QUESTION, 5)
        server.wait_until(lambda s: s.open == 0)


async def test_a_compressed_reply_is_bounded_after_decoding() -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    with ModelServer(reply(200, bomb, content_encoding="gzip")) as server:
        source = HackerNews(server.url, delay_seconds=0)
        tracemalloc.start()
        try:
            with pytest.raises(SourceReplyError, match="more than 8,000,000 bytes"):
                await source.search(QUESTION, 5)
            assert tracemalloc.get_traced_memory()[1] < 40_000_000
        finally:
            tracemalloc.stop()


async def test_a_compressed_reply_is_read() -> None:
    hits = gzip.compress(b'{"hits": [{"objectID": "1", "title": "Bees"}], "page": 0, "nbPages": 1}')
    with ModelServer(reply(200, hits, content_encoding="gzip")) as server:
        found = await HackerNews(server.url, delay_seconds=0).search(QUESTION, 5)
    assert [finding.title for finding in found] == ["Bees"]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/private", "http://localhost:{port}/private",
        "http://[::1]:{port}/private", "http://[::ffff:127.0.0.1]:{port}/private",
        "http://2130706433:{port}/private", "http://0.0.0.0:{port}/private",
        "//127.0.0.1:{port}/private", "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/", "http://[fd00::1]/", "http://[64:ff9b::7f00:1]/", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_a_redirect_to_this_machine_or_the_local_network_is_refused(target: str) -> None:
    with ModelServer(reply(200, b"the secret")) as private:
        away = reply(302, b"", location=target.format(port=private.port))
        with ModelServer(away) as server, pytest.raises(SourceUnavailableError) as caught:
            await HackerNews(server.url, delay_seconds=0).search(QUESTION, 5)
        assert not private.requests
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert "redirect" in str(caught.value)


async def test_a_redirect_within_the_service_is_followed() -> None:
    hits = {"hits": [{"objectID": "1", "title": "Bees"}], "page": 0, "nbPages": 1}
    with ModelServer(reply(301, b"", location="/moved"), reply(200, hits)) as server:
        found = await HackerNews(server.url, delay_seconds=0).search(QUESTION, 5)
    assert [finding.title for finding in found] == ["Bees"]
    assert server.requests[1].path == "/moved"


async def test_a_circle_of_redirects_ends() -> None:
    with ModelServer(reply(302, b"", location="/round")) as server:
        source = HackerNews(server.url, delay_seconds=0)
        with pytest.raises(SourceReplyError, match="redirected 6 times"):
            await source.search(QUESTION, 5)
    assert len(server.requests) == 6


async def test_a_redirect_gets_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever answers a second look-up with another address gains nothing."""
    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    hits = {"hits": [{"objectID": "1", "title": "Bees"}], "page": 0, "nbPages": 1}
    with ModelServer(reply(200, hits)) as other:
        away = reply(302, b"", location=f"http://localhost:{other.port}/x")
        with ModelServer(away) as server:
            source = GitHub(server.url, token="tkn-0123456789", delay_seconds=0)
            with pytest.raises(SourceReplyError, match="without a list of items"):
                await source.search(QUESTION, 5)
    assert "authorization" in server.requests[0].headers
    assert "authorization" not in other.requests[0].headers
    assert other.requests[0].headers["host"] == f"localhost:{other.port}"


def test_an_invalid_address_is_an_error_at_once() -> None:
    with pytest.raises(DefinitionError, match="'ftp://x' is not an address"):
        Arxiv("ftp://x")


PAGED: list[tuple[Service, list[bytes], str, list[str]]] = [
    (SERVICES["arxiv"], [services.arxiv(*range(1, 10), total=12),
                         services.arxiv(1, 2, 3, total=12)], "start", ["0", "11"]),
    (SERVICES["github"], [services.github(*range(11), total=12), services.github(99, total=12)],
     "page", ["1", "2"]),
    (SERVICES["hackernews"], [services.hackernews(*range(9), pages=2),
                              services.hackernews(20, 21, page=1, pages=2)], "page", ["0", "1"]),
    (SERVICES["wikipedia"], [services.wikipedia(*range(1, 10), more=11),
                             services.wikipedia(10, 11)], "gsroffset", ["0", "11"]),
    (SERVICES["crossref"], [services.crossref(*range(1, 10), total=11),
                            services.crossref(10, 11, total=11)], "offset", ["0", "11"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "pages", "name", "values"), PAGED, ids=[case[0].kind.__name__ for case in PAGED]
)
async def test_pages_are_fetched_until_the_limit(
    service: Service, pages: list[bytes], name: str, values: list[str]
) -> None:
    with ModelServer(*(reply(200, page) for page in pages)) as server:
        found = await service.source(server.url).search(QUESTION, 11)
        assert [asked(seen)[name] for seen in server.requests] == values
        assert len(found) == 11 if service.kind is not GitHub else 12


@pytest.mark.parametrize("name", ["arxiv", "github", "hackernews", "wikipedia", "news"])
async def test_a_query_without_results_is_widened(name: str) -> None:
    service = SERVICES[name]
    with ModelServer(reply(200, service.page()), reply(200, service.page(1))) as server:
        found = await service.source(server.url).search(QUESTION, 3)
        assert len(found) == 1
        assert len(server.requests) == 2
        first, second = (asked(seen) for seen in server.requests)
        assert first != second


async def test_words_of_a_question_are_not_operators() -> None:
    with ModelServer(reply(200, services.arxiv(1))) as server:
        await Arxiv(server.url, delay_seconds=0).search('bees" AND cat:(x) OR a:b ANDNOT "y', 1)
        query = asked(server.requests[0])["search_query"]
    assert query == "all:bees AND all:cat AND all:andnot"


async def test_an_error_that_arxiv_puts_in_a_feed() -> None:
    with (
        ModelServer(reply(200, services.ARXIV_ERROR)) as server,
        pytest.raises(SourceRefusedError, match="incorrect id format for 1234"),
    ):
        await Arxiv(server.url, delay_seconds=0).search(QUESTION, 1)


async def test_an_error_that_wikipedia_puts_in_an_answer() -> None:
    with (
        ModelServer(reply(200, services.WIKIPEDIA_ERROR)) as server,
        pytest.raises(SourceRefusedError, match="Search is too busy"),
    ):
        await Wikipedia(server.url, delay_seconds=0).search(QUESTION, 1)


async def test_wikipedia_in_another_language() -> None:
    assert "https://de.wikipedia.org/w/api.php" in repr(Wikipedia(language="de"))
    with pytest.raises(DefinitionError, match="is not a language code"):
        Wikipedia(language="../x")


async def test_crossref_gets_the_contact() -> None:
    with ModelServer(reply(200, services.crossref(1))) as server:
        await Crossref(server.url, contact="me@example.org", delay_seconds=0).search("bees", 1)
        seen = server.requests[0]
        assert asked(seen)["mailto"] == "me@example.org"
        assert "me@example.org" in seen.headers["user-agent"]


@pytest.mark.parametrize("status", [200, 401, 500])
async def test_githubs_token_is_sent_and_shown_nowhere(status: int) -> None:
    body = services.github(1) if status == 200 else b'{"message": "bad token ghp_secret"}'
    with ModelServer(reply(status, body)) as server:
        source = GitHub(server.url, token="ghp_secret", delay_seconds=0)
        shown = repr(source) + repr(source.__dict__)
        try:
            await source.search("bees", 1)
        except SourceError as error:
            text: Any = "".join(traceback.format_exception(error))
            shown += text + repr(error.__dict__)
        assert server.requests[0].headers["authorization"] == "Bearer ghp_secret"
    assert "ghp_secret" not in shown


async def test_githubs_token_of_the_environment_is_sent_to_github_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_env")
    with ModelServer(reply(200, services.github(1))) as server:
        await GitHub(server.url, delay_seconds=0).search("bees", 1)
        assert "authorization" not in server.requests[0].headers


async def test_a_pause_that_is_asked_for_is_kept_by_all_that_share_the_source() -> None:
    limited = reply(429, b'{"message": "slow down"}', retry_after="60")
    with ModelServer(limited) as server:
        source = HackerNews(server.url, delay_seconds=0)
        with pytest.raises(SourceLimitedError, match="slow down") as caught:
            await source.search("bees", 1)
        assert caught.value.retry_after_seconds == 60
        with pytest.raises(SourceLimitedError, match="a pause that has") as caught:
            await source.search("ants", 1)
        assert 50 < (caught.value.retry_after_seconds or 0) <= 60
        assert len(server.requests) == 1, "the second was not sent"


async def test_githubs_used_up_limit_is_a_pause() -> None:
    headers = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(time.time()) + 30)}
    with (
        ModelServer(reply(403, b'{"message": "API rate limit exceeded"}', **headers)) as server,
        pytest.raises(SourceLimitedError, match="rate limit exceeded") as caught,
    ):
        await GitHub(server.url, delay_seconds=0).search("bees", 1)
    assert 25 < (caught.value.retry_after_seconds or 0) <= 30


async def test_news_mixes_feeds_with_search_results() -> None:
    plays = [services.gdelt(1), services.RSS, services.ATOM, services.RDF]
    with ModelServer(*(reply(200, body) for body in plays)) as server:
        feeds = [f"{server.url}/{name}" for name in ("rss", "atom", "rdf")]
        found = await News(server.url, feeds=feeds, delay_seconds=0).search("Do bees thrive?", 10)
    assert [finding.title for finding in found] == [
        "Bees return to the city 1", "Bees thrive", "A year of bees", "Bees abroad",
    ]  # fmt: skip
    assert found.skipped == 2
    assert found[1].text == "Hives & bees do well."
    assert [finding.date for finding in found] == ["2024-01-02"] * 4
    assert found[2].authors == ("Ada",)


async def test_news_continues_without_a_failed_service_and_reports_it() -> None:
    with ModelServer(reply(503, b"busy"), reply(200, services.RSS)) as server:
        source = News(server.url, feeds=[f"{server.url}/rss"], delay_seconds=0)
        found = await source.search("bees", 5)
    assert [finding.title for finding in found] == ["Bees thrive"]
    assert len(found.problems) == 1
    assert "answered 503" in found.problems[0]


async def test_gdelts_errors_are_plain_text() -> None:
    for body, kind in [
        (b"Please limit requests to one every 5 seconds", SourceLimitedError),
        (b"Your query was too short or too long.", SourceRefusedError),
    ]:
        with ModelServer(reply(200, body)) as server, pytest.raises(kind, match="GDELT says"):
            await News(server.url, feeds=(), delay_seconds=0).search("bees", 5)


async def test_a_feed_with_an_entity_bomb_is_refused() -> None:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE r [<!ENTITY l0 "lol">{lol}]><rss><channel>&l9;</channel></rss>'.encode()
    with ModelServer(reply(200, bomb)) as server:
        source = News("", feeds=[server.url], delay_seconds=0)
        with pytest.raises(SourceReplyError, match="declares the entity"):
            await source.search("bees", 5)
