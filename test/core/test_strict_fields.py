from dataclasses import dataclass, field
from typing import Literal

import pytest

from jepa_planner.core.strict_fields import FieldError, from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    size: tuple[int, int]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Round:
    radius: float
    kind: Literal["round"] = "round"


@dataclass(frozen=True)
class Square:
    side: float
    kind: Literal["square"] = "square"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    rate: float
    names: tuple[str, ...] = ()
    note: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    on: bool = False
    shape: Round | Square | None = None

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError("rate must not be negative")


GOOD = {"inner": {"size": [1, 2]}, "rate": 1, "names": ["x"], "counts": {"a": 1}}


def test_plain_data_and_dataclasses_are_inverse():
    outer = from_plain(Outer, GOOD)
    assert outer == Outer(Inner((1, 2)), 1.0, ("x",), None, {"a": 1})
    assert from_plain(Outer, to_plain(outer)) == outer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "the top level: unknown field colour"),
        ({"inner": {}}, "inner: missing field size"),
        ({"inner": 3}, "inner: expected a mapping"),
        ({"inner": {"size": [1, 2, 3]}}, "inner.size: expected 2 entries, got 3"),
        ({"inner": {"size": [1, "2"]}}, r"inner.size\[1\]: expected int, got '2'"),
        ({"inner": {"size": [1, 2], "kind": "c"}}, "inner.kind: expected one of 'a', 'b'"),
        ({"rate": "fast"}, "rate: expected float, got 'fast'"),
        ({"rate": True}, "rate: expected float, got True"),
        ({"on": 1}, "on: expected bool, got 1"),
        ({"names": "x"}, "names: expected a list"),
        ({"note": 5}, "note: expected str, got 5"),
        ({"counts": {"a": 1.5}}, "counts.a: expected int"),
        ({"counts": {1: 1}}, "counts: expected a mapping from names"),
        ({"shape": {"side": 1.0}}, "shape: unknown field side; known are radius, kind"),
        ({"shape": {"kind": "oval", "side": 1.0}}, "shape.kind: expected one of 'round', 'square', got 'oval'"),
        ({"shape": {"kind": "square", "side": "x"}}, "shape.side: expected float, got 'x'"),
        ({"shape": "square"}, "shape: expected a mapping, got 'square'"),
        ({"rate": -1.0}, "rate must not be negative"),
    ],
)
def test_a_bad_field_is_named(changes, message):
    with pytest.raises(FieldError, match=message):
        from_plain(Outer, {**GOOD, **changes})


@pytest.mark.parametrize(
    ("plain", "shape"),
    [
        ({"kind": "square", "side": 2}, Square(2.0)),
        ({"kind": "round", "radius": 2}, Round(2.0)),
        ({"radius": 2}, Round(2.0)),
        (None, None),
    ],
)
def test_a_union_is_told_apart_by_its_kind_and_is_the_first_where_none_is_said(plain, shape):
    assert from_plain(Outer, {**GOOD, "shape": plain}).shape == shape


def test_anything_but_a_mapping_is_refused():
    with pytest.raises(FieldError, match="expected a mapping, got None"):
        from_plain(Outer, None)
