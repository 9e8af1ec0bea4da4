"""Parameters as tables: name, default, meaning, bounds, and when they may change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

Value = bool | int | float | str | list[str] | list[float]


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
            node.declare_parameter(parameter.name, parameter.default, parameter.descriptor())
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


def _refused(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)
