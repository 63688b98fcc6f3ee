"""The base of public pydantic models, which turns validation errors into `DefinitionError`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from dagorch.errors import DefinitionError, Problem, did_you_mean

__all__ = ["StrictModel"]


class StrictModel(BaseModel):
    """
    A model that rejects an unknown field and suggests the closest known one.

    Fields may also be passed by position, in the order of their declaration.

    Example:
        >>> class Point(StrictModel):
        ...     left: int
        ...     top: int = 0
        >>> Point(1, 2)
        Point(left=1, top=2)
        >>> Point(left=1, tip=2)
        Traceback (most recent call last):
        ...
        dagorch.errors.DefinitionError: Point has no field 'tip'; did you mean 'top'?
    """

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

    def __init__(self, /, *args: Any, **data: Any) -> None:
        kind = type(self)
        names = list(kind.model_fields)
        if len(args) > len(names):
            raise DefinitionError(
                f"{kind.__name__} takes {len(names)} fields, but {len(args)} were passed"
            )
        for name, value in zip(names, args, strict=False):
            if name in data:
                raise DefinitionError(
                    f"{kind.__name__}: {name!r} is passed both by position and by name"
                )
            data[name] = value
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise DefinitionError(_problems(kind.__name__, names, error)) from None


def _problems(kind: str, names: list[str], error: ValidationError) -> list[Problem]:
    """Return one problem per wrong field; for a union, the error of its last member."""
    found: dict[str, str] = {}
    for details in error.errors():
        field = str(details["loc"][0]) if details["loc"] else ""
        if details["type"] == "extra_forbidden":
            known = did_you_mean(field, names) or f"; it has {', '.join(names)}"
            found[field] = f"{kind} has no field {field!r}{known}"
        elif details["type"] == "missing":
            found[field] = f"{kind} needs {field!r}; pass {field}=..."
        else:
            place = ".".join(str(part) for part in details["loc"])
            what = details["msg"].removeprefix("Value error, ")
            found[field] = f"{kind}: {place}={details['input']!r:.60}: {what}"
    return [Problem(text) for text in found.values()]
