"""
The outcome of a workflow as a document: Markdown, HTML, PDF or DOCX.

`markdown_reader.py` parses what models wrote into blocks. `composition.py` decides the content and
its order. Each format has one module that writes blocks.
"""

from typing import TYPE_CHECKING

from dagorch.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dagorch.exporters.documents.composition import compose
    from dagorch.exporters.documents.formats import ENDINGS, check_installed, render_document
    from dagorch.exporters.documents.write import write_documents

__all__ = ["ENDINGS", "check_installed", "compose", "render_document", "write_documents"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "dagorch.exporters.documents.composition": "compose",
        "dagorch.exporters.documents.formats": "ENDINGS check_installed render_document",
        "dagorch.exporters.documents.write": "write_documents",
    },
)
