"""
Fake search services for `dagorch.sources`: one documented result page of each.

A page may also contain malformed records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagorch.sources import Arxiv, Crossref, GitHub, HackerNews, News, Wikipedia
from dagorch.sources.web import WebSource

ARXIV_ENTRY = """
  <entry>
    <id>http://arxiv.org/abs/2401.0{n}v2</id>
    <updated>2024-02-01T10:00:00Z</updated>
    <published>2024-01-0{n}T18:30:00Z</published>
    <title>Bees and
      polarised light {n}</title>
    <summary>  We show that bees &amp; ants
      see it.  </summary>
    <author><name>Ada Bee</name></author>
    <author><name>Karl von Frisch</name></author>
    <link href="http://arxiv.org/abs/2401.0{n}v2" rel="alternate" type="text/html"/>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="q-bio.NC"/>
  </entry>"""
ARXIV_ODD = """
  <entry><title>No address</title></entry>
  <entry><id>http://arxiv.org/abs/2401.09v1</id><title>  </title></entry>"""


def arxiv_feed(entries: str, total: int) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query: search_query=all:bees</title>
  <id>http://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{total}</opensearch:totalResults>
  <opensearch:startIndex xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">0</opensearch:startIndex>
  {entries}
</feed>""".encode()


def arxiv(*numbers: int, odd: bool = False, total: int | None = None) -> bytes:
    entries = "".join(ARXIV_ENTRY.format(n=n) for n in numbers) + (ARXIV_ODD if odd else "")
    return arxiv_feed(entries, len(numbers) if total is None else total)


ARXIV_ERROR = arxiv_feed(
    """<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_1234</id><title>Error</title>
    <summary>incorrect id format for 1234</summary></entry>""",
    1,
)


def github(*numbers: int, odd: bool = False, total: int | None = None) -> bytes:
    items: list[Any] = [
        {
            "id": n,
            "full_name": f"apiary/bees-{n}",
            "html_url": f"https://github.com/apiary/bees-{n}",
            "description": "Tracks bees",
            "owner": {"login": "apiary"},
            "stargazers_count": 42,
            "language": "Python",
            "topics": ["bees", "tracking"],
            "pushed_at": "2024-01-05T12:00:00Z",
            "score": 1.0,
        }
        for n in numbers
    ]
    if odd:
        items += [None, {"full_name": 7, "html_url": None}, {"description": "nameless"}]
    count = len(items) if total is None else total
    return json.dumps({"total_count": count, "incomplete_results": False, "items": items}).encode()


def wikipedia(*numbers: int, odd: bool = False, more: int | None = None) -> bytes:
    pages: list[Any] = [
        {
            "pageid": 1000 - n,  # pages are sorted by id; `index` is the order of the search
            "ns": 0,
            "title": f"Waggle dance {n}",
            "index": n,
            "extract": "The waggle dance is a figure-eight dance of the honey bee.",
            "touched": "2024-01-03T08:00:00Z",
            "fullurl": f"https://en.wikipedia.org/wiki/Waggle_dance_{n}",
        }
        for n in reversed(numbers)
    ]
    if odd:
        pages += ["?", {"title": "Missing", "missing": True}, {"title": "No extract", "index": 9}]
    answer: dict[str, Any] = {"batchcomplete": True, "query": {"pages": pages}}
    if more is not None:
        answer["continue"] = {"gsroffset": more, "continue": "gsroffset||"}
    return json.dumps(answer).encode()


WIKIPEDIA_ERROR = json.dumps(
    {"error": {"code": "cirrussearch-too-busy", "info": "Search is too busy."}, "servedby": "mw1"}
).encode()


def hackernews(*numbers: int, odd: bool = False, page: int = 0, pages: int = 1) -> bytes:
    hits: list[Any] = [
        {
            "objectID": f"{1000 + n}",
            "title": f"Bees see polarised light {n}",
            "url": f"https://example.org/bees/{n}" if n % 2 else None,
            "author": "pg",
            "points": 57,
            "num_comments": 12,
            "story_text": None if n % 2 else "<p>I keep bees.<script>alert(1)</script>",
            "created_at": "2024-01-02T10:00:00Z",
            "_tags": ["story"],
        }
        for n in numbers
    ]
    if odd:
        hits += [{"objectID": "x", "title": "t"}, {"objectID": "7", "title": None}, 3]
    return json.dumps(
        {"hits": hits, "nbHits": len(hits), "page": page, "nbPages": pages, "hitsPerPage": 20}
    ).encode()


def crossref(*numbers: int, odd: bool = False, total: int | None = None) -> bytes:
    items: list[Any] = [
        {
            "DOI": f"10.1000/bee.{n}",
            "URL": f"https://doi.org/10.1000/bee.{n}",
            "title": [f"Polarised &amp; bright <i>light</i> {n}"],
            "author": [
                {"given": "Ada", "family": "Bee", "sequence": "first", "affiliation": []},
                {"name": "The Apiary Group"},
            ],
            "issued": {"date-parts": [[2024, n] if n % 2 else [2024]]},
            "abstract": "<jats:title>Abstract</jats:title><jats:p>Bees see it.</jats:p>",
            "container-title": ["Journal of Bees"],
        }
        for n in numbers
    ]
    if odd:
        items += [{"DOI": "10.1/x", "title": []}, {"title": ["No DOI"]}, "?"]
    message = {"total-results": len(items) if total is None else total, "items": items}
    return json.dumps(
        {
            "status": "ok",
            "message-type": "work-list",
            "message-version": "1.0.0",
            "message": message,
        }
    ).encode()


def gdelt(*numbers: int, odd: bool = False) -> bytes:
    articles: list[Any] = [
        {
            "url": f"https://paper.example/bees-{n}",
            "url_mobile": "",
            "title": f"Bees return to the city {n}",
            "seendate": "20240102T081500Z",
            "socialimage": "",
            "domain": "paper.example",
            "language": "English",
            "sourcecountry": "Germany",
        }
        for n in numbers
    ]
    if odd:
        articles += [{"url": "https://paper.example/x"}, None]
    return json.dumps({"articles": articles} if articles else {}).encode()


RSS = b"""<?xml version="1.0"?>
<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://127.0.0.1:1/rss.dtd">
<rss version="2.0"><channel><title>Paper</title><link>https://paper.example</link>
<item><title>Bees&nbsp;thrive</title><link>https://paper.example/thrive</link>
<description><![CDATA[<p>Hives &amp; bees <img src="x"/> do well.</p>]]></description>
<pubDate>Tue, 02 Jan 2024 04:00:00 GMT</pubDate></item>
<item><title>Election results</title><link>https://paper.example/election</link></item>
<item><title>Bees without an address</title></item>
<item><title>Bees elsewhere</title><link>javascript:alert(1)</link></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title>
<entry><title type="html">A year of &lt;b&gt;bees&lt;/b&gt;</title>
<link rel="self" href="https://blog.example/feed"/><link href="https://blog.example/bees"/>
<author><name>Ada</name></author><updated>2024-01-02T10:00:00+02:00</updated>
<summary>Bees, month by month.</summary></entry></feed>"""
RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title></channel>
<item><title>Bees abroad</title><link>https://world.example/bees</link>
<dc:date>2024-01-02T10:00:00Z</dc:date><dc:creator>Karl</dc:creator></item></rdf:RDF>"""


@dataclass(frozen=True)
class Service:
    """One service: the source that searches it, and its result pages."""

    kind: type[WebSource]
    page: Any
    """Builds a page with the records of these numbers."""
    options: Mapping[str, Any]
    title: str
    url: str
    date: str
    odd: int
    """How many malformed records a page with `odd=True` has."""

    def source(self, base_url: str, **options: Any) -> WebSource:
        return self.kind(base_url, **{"delay_seconds": 0, **self.options, **options})


SERVICES = {
    "arxiv": Service(
        Arxiv, arxiv, {}, "Bees and polarised light 1", "https://arxiv.org/abs/2401.01",
        "2024-01-01", 2,
    ),
    "github": Service(
        GitHub, github, {}, "apiary/bees-1", "https://github.com/apiary/bees-1", "2024-01-05", 3
    ),
    "wikipedia": Service(
        Wikipedia, wikipedia, {}, "Waggle dance 1",
        "https://en.wikipedia.org/wiki/Waggle_dance_1", "2024-01-03", 3,
    ),
    "hackernews": Service(
        HackerNews, hackernews, {}, "Bees see polarised light 1", "https://example.org/bees/1",
        "2024-01-02", 3,
    ),
    "crossref": Service(
        Crossref, crossref, {}, "Polarised & bright light 1", "https://doi.org/10.1000/bee.1",
        "2024-01", 3,
    ),
    "news": Service(
        News, gdelt, {"feeds": ()}, "Bees return to the city 1", "https://paper.example/bees-1",
        "2024-01-02", 2,
    ),
}  # fmt: skip
