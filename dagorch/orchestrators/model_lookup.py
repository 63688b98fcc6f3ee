"""What is known about a model from its name: its provider, and how much it writes and reads."""

from __future__ import annotations

from dagorch.patterns.steps import ModelSettings
from dagorch.patterns.token_limits import LARGE, SMALL, TokenLimits
from dagorch.providers.router import Router

__all__ = ["model_name", "model_settings", "token_limits"]


def model_settings(router: Router, model: str) -> ModelSettings:
    """Return the settings of a pattern's steps for a model."""
    return ModelSettings(model, token_limits(router, model))


def model_name(router: Router, model: str) -> str:
    """Return the provider's name of a model, or the given one if its provider is unknown."""
    found, default = router.route(model), router.default
    name = model if found is None else found.model
    return name or (default.default_model if default is not None else "")


def token_limits(router: Router, model: str) -> TokenLimits:
    """Return how much a model writes and reads; only the embedded model is known to be small."""
    found = router.route(model)
    return SMALL if found is not None and found.provider == "local" else LARGE
