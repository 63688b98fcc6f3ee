"""What is known about a model from its name: its provider, and how much it writes and reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from dagorch.errors import DagorchWarning
from dagorch.graph.caller import user_stack_level
from dagorch.models.task import to_text
from dagorch.patterns.steps import ModelSettings
from dagorch.patterns.token_limits import LARGE, SMALL, TokenLimits
from dagorch.providers.router import Router

__all__ = ["model_name", "model_settings", "token_limits"]


def model_settings(router: Router, model: str, context: Mapping[str, Any]) -> ModelSettings:
    """Return the settings of a pattern's steps for a model, and for the caller's context."""
    return ModelSettings(model, token_limits(router, model, context))


def model_name(router: Router, model: str) -> str:
    """Return the provider's name of a model, or the given one if its provider is unknown."""
    found, default = router.route(model), router.default
    name = model if found is None else found.model
    return name or (default.default_model if default is not None else "")


def token_limits(router: Router, model: str, context: Mapping[str, Any]) -> TokenLimits:
    """
    Return how much a model writes and reads, the caller's context included.

    Only the embedded model is known to be small.
    """
    found = router.route(model)
    limits = SMALL if found is not None and found.provider == "local" else LARGE
    text = _context_text(context)
    if (size := len(text.encode())) > limits.material_bytes:
        warnings.warn(
            f"the context has {size:,} bytes; prompts contain its first {limits.material_bytes:,}",
            DagorchWarning,
            stacklevel=user_stack_level(),
        )
    return limits.with_material(text)


def _context_text(context: Mapping[str, Any]) -> str:
    r"""
    Write a caller's context for a prompt: a line or more per entry.

    Functions, open connections and other objects that are not data are left out.

    Example:
        >>> _context_text({"audience": "nurses", "depth": 2, "db": object()})
        'audience: nurses\ndepth: 2'
    """
    texts = {name: _text_of(value) for name, value in context.items()}
    return "\n".join(f"{name}: {text}" for name, text in texts.items() if text)


def _text_of(value: Any) -> str:
    try:
        return to_text(to_jsonable_python(value))
    except (ValueError, RecursionError):  # something in it is not data
        return ""
