"""What is known of a model by its name, before it is asked: where it runs, how much it takes."""

from __future__ import annotations

from dagorch.patterns.steps import ModelSettings
from dagorch.patterns.token_limits import LARGE, SMALL, TokenLimits
from dagorch.providers.router import Router

__all__ = ["asked", "model_name", "room_of"]


def asked(router: Router, model: str) -> ModelSettings:
    """Give a model as a pattern's steps ask it."""
    return ModelSettings(model, room_of(router, model))


def model_name(router: Router, model: str) -> str:
    """Give the name of a model at its provider, as far as it is known."""
    found, default = router.route(model), router.default
    name = model if found is None else found.model
    return name or (default.default_model if default is not None else "")


def room_of(router: Router, model: str) -> TokenLimits:
    """How much a model can take; only the embedded one is known to be small."""
    found = router.route(model)
    return SMALL if found is not None and found.provider == "local" else LARGE
