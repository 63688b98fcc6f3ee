"""
The outcome of a workflow as a document: Markdown, HTML, PDF or DOCX.

`markdown_reader.py` parses what models wrote into blocks. `compose.py` decides the content and
its order. Each format has one module that writes blocks.
"""

from dagorch.exporters.documents.compose import compose
from dagorch.exporters.documents.formats import ENDINGS, check_installed, render_document
from dagorch.exporters.documents.write import write_documents

__all__ = ["ENDINGS", "check_installed", "compose", "render_document", "write_documents"]
