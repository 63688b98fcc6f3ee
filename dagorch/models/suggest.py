"""Dataclasses whose constructor reports a wrong option with the nearest right one."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar

from dagorch.errors import DefinitionError, did_you_mean

__all__ = ["suggest_options"]

C = TypeVar("C", bound=type)

_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.+)")


def suggest_options(cls: C) -> C:
    """Make a dataclass report an unknown option with the nearest known one."""
    create: Any = vars(cls)["__init__"]
    known = [option.name for option in fields(cls) if option.init]
    policy = next((option.default for option in fields(cls) if option.name == "policy"), None)
    of_policy = [option.name for option in fields(policy)] if is_dataclass(policy) else []

    @wraps(create)
    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807  becomes cls's
        try:
            create(self, *args, **options)
        except TypeError as error:
            name = next((option for option in options if option not in known), None)
            if name is None:
                missing = _MISSING.search(str(error))
                if missing is not None:
                    raise DefinitionError(f"{cls.__name__}(...) needs {missing[1]}") from None
                raise
            if name in of_policy:
                hint = f"; it is an option of Policy: policy=Policy({name}=...)"
            else:
                hint = did_you_mean(name, known) or f"; it has {', '.join(known)}"
            raise DefinitionError(f"{cls.__name__} has no option {name!r}{hint}") from None

    cls.__init__ = __init__  # type: ignore[misc]  # mypy refuses every such assignment
    return cls
