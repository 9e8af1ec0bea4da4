"""Parameters as tables: name, default, meaning, bounds, and when they may change."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

Value = bool | int | float | str | list[str] | list[float] | list[int]


class Change(Enum):
    """When a parameter may be set."""

    ANY_TIME = "at any time"
    AT_REST = "while the arm rests"
    UNCONFIGURED = "before configure; take the node through cleanup first"


@dataclass(frozen=True)
class Parameter:
    """One parameter; `minimum` and `maximum` are inclusive, `choices`: what a string may be besides its default."""

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    change: Change = Change.UNCONFIGURED

    def accept(self, value: object) -> Value:
        """The value as this parameter has it, a whole number as float where that is its type.

        Raises ValueError saying what was given and what was expected.
        """
        several = isinstance(self.default, list)
        kind = type(self.default[0]) if isinstance(self.default, list) else type(self.default)
        items = value if several and isinstance(value, list) else [value]
        found = [_as(kind, item) for item in items]
        if several != isinstance(value, list) or not found or None in found or not all(map(self._allows, found)):
            raise ValueError(f"{self.name} is {value!r}; expected {self._expected(kind, several)}")
        return found if several else found[0]

    def read(self, text: str) -> Value:
        """The value that a text from a command line stands for; raises ValueError as `accept` does."""
        readers: dict[type, Callable[[str], Value]] = {bool: _read_bool, int: int, float: float}
        try:
            return self.accept(readers.get(type(self.default), str)(text))
        except ValueError:
            expected = self._expected(type(self.default), several=False)
            raise ValueError(f"{self.name} is {text!r}; expected {expected}") from None

    def _allows(self, value: Any) -> bool:
        in_range = self.minimum is None or self.minimum <= value <= self.maximum
        return in_range and (not self.choices or value in (*self.choices, self.default)) and value == value

    def _expected(self, kind: type, several: bool) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if several:
            return f"a list of {'names' if kind is str else 'numbers'}, one at least"
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
        return words if self.minimum is None else f"{words} from {self.minimum} to {self.maximum}"

    def descriptor(self) -> ParameterDescriptor:
        text = f"{self.description} May change {self.change.value}."
        descriptor = ParameterDescriptor(name=self.name, description=text)
        if self.choices:
            descriptor.additional_constraints = f"one of: {', '.join(self.choices)}"
        if self.minimum is not None and self.maximum is not None:
            if isinstance(self.default, float):
                bounds = FloatingPointRange(from_value=float(self.minimum), to_value=float(self.maximum))
                descriptor.floating_point_range = [bounds]
            else:
                bounds = IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum), step=1)
                descriptor.integer_range = [bounds]
        return descriptor


class Parameters:
    """Declares a table of parameters on a node, guards their changes and reads them.

    `is_configured` and `is_moving` are asked on every change: one that is unsafe now is refused with the reason.
    """

    def __init__(
        self,
        node: Node,
        table: Iterable[Parameter],
        is_configured: Callable[[], bool] = lambda: False,
        is_moving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._node = node
        self._table = {parameter.name: parameter for parameter in table}
        self._is_configured = is_configured
        self._is_moving = is_moving
        for parameter in self._table.values():
            try:
                node.declare_parameter(parameter.name, parameter.default, parameter.descriptor())
            except ParameterException as error:
                raise ValueError(f"{node.get_name()}: {error}") from error
        self._refuse_bad_choices(node.get_parameters(list(self._table)))
        node.add_on_set_parameters_callback(self._judge)

    def __getitem__(self, name: str) -> Any:
        return self._node.get_parameter(name).value

    def _refuse_bad_choices(self, given: Iterable[RosParameter]) -> None:
        """The bounds are checked by rclpy when parameters are declared, choices only here."""
        for parameter in given:
            choices, default = self._table[parameter.name].choices, self._table[parameter.name].default
            if choices and parameter.value not in (*choices, default):
                raise ValueError(
                    f"parameter {parameter.name} is {parameter.value!r}; choose one of {', '.join(choices)}"
                )

    def _judge(self, changes: list[RosParameter]) -> SetParametersResult:
        for change in changes:
            parameter = self._table.get(change.name)
            if parameter is None:
                continue
            if parameter.choices and change.value not in (*parameter.choices, parameter.default):
                return _refused(f"{change.name} must be one of {', '.join(parameter.choices)}, not {change.value!r}")
            if parameter.change is Change.UNCONFIGURED and self._is_configured():
                return _refused(f"{change.name} may change only {parameter.change.value}")
            if parameter.change is Change.AT_REST and self._is_moving():
                return _refused(f"{change.name} may change only {parameter.change.value}, and it moves")
        return SetParametersResult(successful=True)


RENAMED = {"optimiser": "solver", "wary": "monitor_out_of_distribution"}
"""Parameters of before, by their present names."""


def nearest(name: str, known: Iterable[str]) -> str:
    """What was probably meant by a name that is not known, as the end of a refusal; else the known ones."""
    known = list(known)
    if RENAMED.get(name) in known:
        return f"it is called {RENAMED[name]} now"
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def misspelt(name: str, known: Iterable[str]) -> str:
    """The known name that another is all but the same as, or none. Stricter than `nearest`: it may be somebody else's.

    By difflib's likeness compsed and composed have 0.93, ros_namespace and namespace 0.82.
    """
    close = [] if name in known else difflib.get_close_matches(name, known, 1, 0.85)
    return close[0] if close else ""


def _as(kind: type, value: Any) -> Any:
    """The value if it is of that kind, None if not; YAML takes 1e-3, without a point, for a text."""
    if kind is float and type(value) in (int, str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None
    return value if type(value) is kind else None


def _read_bool(text: str) -> bool | str:
    """A text that says neither stays one, which `accept` refuses."""
    words: dict[str, bool | str] = {"true": True, "1": True, "false": False, "0": False}
    return words.get(text.lower(), text)


def _refused(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)
