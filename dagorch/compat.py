"""
The old import lines: after `import dagorch.compat`, `orchestration` and `llm_providers` exist.

    import dagorch.compat
    from orchestration import DreamCascadeOrchestrator, SubTask
    from llm_providers import ProviderFactory

Both modules and their submodules have the public names of `dagorch`. A module of that name that is
installed, or beside your code, is always the one that is imported; a warning says so.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

import dagorch
from dagorch.errors import DagorchWarning, did_you_mean

__all__: list[str] = []

_SUBMODULES: Final = {
    "orchestration": (
        "base", "base_orchestrator", "beltalowda", "beltalowda_orchestrator", "cascade",
        "conditional", "conditional_orchestrator", "config", "core", "cost", "costs",
        "dream_cascade", "dream_cascade_orchestrator", "dream_swarm", "dream_swarm_orchestrator",
        "errors", "events", "exceptions", "iterative", "iterative_orchestrator", "models",
        "orchestrators", "patterns", "progress", "results", "sequential",
        "sequential_orchestrator", "streaming", "swarm", "swarm_orchestrator", "tasks", "types",
        "utils",
    ),
    "llm_providers": ("base", "factory", "provider_factory", "providers"),
}  # fmt: skip
_NAMES: Final = frozenset(
    (*_SUBMODULES, *(f"{name}.{sub}" for name, subs in _SUBMODULES.items() for sub in subs))
)


class _OldModules(MetaPathFinder, Loader):
    """Finds the old modules, after every other finder has found nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an old module; None for any other."""
        if fullname not in _NAMES:
            return None
        return ModuleSpec(fullname, self, is_package=fullname in _SUBMODULES)

    def exec_module(self, module: ModuleType) -> None:
        """Give a module the public names of `dagorch`, which are imported on first use."""

        def get(name: str) -> Any:
            if name in dagorch.__all__:
                return getattr(dagorch, name)
            known = did_you_mean(name, dagorch.__all__)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}{known}")

        module.__dict__.update(
            __doc__=f"`dagorch` under its old name {module.__name__!r}.",
            __all__=list(dagorch.__all__),
            __getattr__=get,
            __dir__=lambda: sorted(dagorch.__all__),
        )


def _install() -> None:
    if any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        return
    sys.meta_path.append(_OldModules())
    for name in _SUBMODULES:
        found = sys.modules.get(name) or PathFinder.find_spec(name)
        if found is not None:
            where = getattr(found, "origin", None) or getattr(found, "__file__", None) or "sys.path"
            warnings.warn(
                f"there is a module {name!r} at {where}, which `import {name}` imports; "
                f"dagorch.compat leaves it alone, so write `from dagorch import ...`",
                DagorchWarning,
                stacklevel=3,
            )


_install()
