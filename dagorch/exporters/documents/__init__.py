"""
What a workflow came to, as a document to send: Markdown, HTML, PDF, DOCX.

One reader makes blocks of what models wrote (`reading.py`), one composer says what is told and in
which order (`composing.py`), and each format writes blocks in its own way.
"""

from dagorch.exporters.documents.composing import compose
from dagorch.exporters.documents.formats import ENDINGS, check_installed, render_document
from dagorch.exporters.documents.writing import write_documents

__all__ = ["ENDINGS", "check_installed", "compose", "render_document", "write_documents"]
