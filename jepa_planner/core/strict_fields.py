"""Plain data (YAML) to frozen dataclasses and back; every unknown, missing or mistyped field is named."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

T = TypeVar("T")
KIND = "kind"


class FieldError(ValueError):
    """A field is unknown, missing or of the wrong type; the message starts with its dotted name."""


def from_plain(cls: type[T], data: Any, name: str = "") -> T:
    """Builds the dataclass `cls` from nested mappings and lists; `name` is where the data stands.

    Knows int, float, str, bool, None, Literal, tuples, str-keyed dicts, unions with None, nested dataclasses and unions
    of dataclasses that a field `kind` tells apart, where the first needs none. Raises FieldError for anything else and
    for whatever the dataclass itself refuses.
    """
    where = name or "the top level"
    if not isinstance(data, Mapping):
        raise FieldError(f"{where}: expected a mapping, got {data!r}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    if unknown := [str(key) for key in data if key not in fields]:
        raise FieldError(f"{where}: unknown field {', '.join(unknown)}; known are {', '.join(fields)}")
    required = [key for key, field in fields.items() if _has_no_default(field)]
    if missing := [key for key in required if key not in data]:
        raise FieldError(f"{where}: missing field {', '.join(missing)}")
    hints = typing.get_type_hints(cls)
    values = {key: _convert(hints[key], value, f"{name}.{key}".lstrip(".")) for key, value in data.items()}
    try:
        return cls(**values)
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError(f"{where}: {error}") from error


def to_plain(value: Any) -> Any:
    """The inverse of `from_plain`: nested dicts, lists and scalars that YAML and JSON can write."""
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {name: to_plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    return value


def _has_no_default(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _convert(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return from_plain(kind, value, name)
    if origin is Literal:
        if value not in arguments:
            raise FieldError(f"{name}: expected one of {', '.join(map(repr, arguments))}, got {value!r}")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(_chosen([a for a in arguments if a is not type(None)], value, name), value, name)
    if origin is tuple:
        return _convert_tuple(arguments, value, name)
    if origin is dict:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise FieldError(f"{name}: expected a mapping from names, got {value!r}")
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # `isinstance` would take True for an int
        raise FieldError(f"{name}: expected {kind.__name__}, got {value!r}")
    return value


def _chosen(kinds: list[Any], value: Any, name: str) -> Any:
    """Which kind of a union the value is of: the only one, or the one whose field `kind` takes what stands there."""
    if len(kinds) == 1 or not isinstance(value, Mapping) or KIND not in value:
        return kinds[0]
    known = {typing.get_args(typing.get_type_hints(kind)[KIND])[0]: kind for kind in kinds}
    return known[_convert(Literal[tuple(known)], value[KIND], f"{name}.{KIND}")]


def _convert_tuple(kinds: tuple[Any, ...], value: Any, name: str) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise FieldError(f"{name}: expected a list, got {value!r}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise FieldError(f"{name}: expected {len(kinds)} entries, got {len(value)}")
    return tuple(_convert(kind, item, f"{name}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))
