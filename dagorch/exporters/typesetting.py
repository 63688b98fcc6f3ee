"""Typst, which turns an SVG or a template into PDF or PNG, in a child process with limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from dagorch.child_process.bounded import Limits, run_function
from dagorch.errors import DefinitionError

__all__ = ["compile_template", "typeset"]

LIMITS: Final = Limits()


def typeset(
    template: str,
    format: Literal["pdf", "png"],
    inputs: Mapping[str, str],
    dots_per_inch: float | None = None,
) -> bytes:
    """
    Compile a Typst template in a child process.

    Args:
        template: Typst's own language.
        format: Of the result.
        inputs: What the template reads as `sys.inputs`. Typst never reads these as its language.
        dots_per_inch: The resolution of a PNG; None is Typst's.

    Raises:
        DefinitionError: Typst is missing or failed; the message has its words.
    """
    job = {"template": template, "format": format, "inputs": dict(inputs), "ppi": dots_per_inch}
    result = run_function(__name__, "compile_template", json.dumps(job).encode(), LIMITS)
    if result.error:
        raise DefinitionError(f"typst could not write the {format.upper()}: {result.error}")
    return result.output


def compile_template(job: bytes) -> bytes:
    """Compile a template; what the child process runs."""
    import typst

    options: dict[str, Any] = json.loads(job)
    pages = typst.compile(
        options["template"].encode(),
        format=options["format"],
        ppi=options["ppi"],
        sys_inputs=options["inputs"],
    )
    return bytes(pages[0] if isinstance(pages, list) else pages)
