"""Objects of which any method may raise: what users' objects may do in the engine's hands."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

__all__ = ["ERRORS", "hostile_error_types", "hostile_types"]

DUNDERS: Final = (
    "__eq__", "__ne__", "__lt__", "__hash__", "__bool__", "__len__", "__iter__", "__next__",
    "__repr__", "__str__", "__format__", "__copy__", "__deepcopy__", "__reduce_ex__", "__call__",
    "__getattr__", "__getitem__", "__contains__", "__await__", "__aiter__", "__int__", "__float__",
    "__index__", "__add__", "__radd__", "__enter__", "__exit__", "__dir__", "__sizeof__",
    "__fspath__", "__instancecheck__",
)  # fmt: skip
ERROR_DUNDERS: Final = (
    "__str__", "__repr__", "__eq__", "__hash__", "__bool__", "__getattr__", "__reduce_ex__",
    "__format__", "add_note", "with_traceback", "__len__", "__iter__",
)  # fmt: skip
ERROR_PROPERTIES: Final = ("retryable", "retry_at_once", "__class__", "args", "__notes__")
ERRORS: Final = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    LookupError,
    OSError,
    StopIteration,
)


def _raises(error: type[Exception]) -> Any:
    def method(self: Any, *_: Any, **__: Any) -> Any:
        raise error(1)

    return method


def _namespace(methods: Any, properties: Any, error: type[Exception]) -> dict[str, Any]:
    return {
        **dict.fromkeys(methods, _raises(error)),
        **{name: property(_raises(error)) for name in properties},
    }


def hostile_types(*bases: type) -> st.SearchStrategy[type]:
    """Return a strategy of classes, some or all of whose methods raise."""

    def build(names: list[str], with_class: bool, error: type[Exception]) -> type:
        return type("Hostile", bases, _namespace(names, ["__class__"] * with_class, error))

    names = st.one_of(st.just(list(DUNDERS)), st.lists(st.sampled_from(DUNDERS), unique=True))
    return st.builds(build, names, st.booleans(), st.sampled_from(ERRORS))


def hostile_error_types() -> st.SearchStrategy[type[Exception]]:
    """Return a strategy of exception classes, some or all of whose methods raise."""

    def build(
        base: type[Exception], names: list[str], properties: list[str], error: type[Exception]
    ) -> type[Exception]:
        return type("HostileError", (base,), _namespace(names, properties, error))

    bases = st.sampled_from([e for e in ERRORS if e is not StopIteration])
    some = st.lists(st.sampled_from(ERROR_DUNDERS), unique=True)
    properties = st.lists(st.sampled_from(ERROR_PROPERTIES), unique=True)
    return st.builds(
        build,
        bases,
        st.one_of(st.just(list(ERROR_DUNDERS)), some),
        st.one_of(st.just(list(ERROR_PROPERTIES)), properties),
        st.sampled_from(ERRORS),
    )
