"""Actions that happen while a launch file is carried out."""

from collections.abc import Callable

from launch import LaunchContext


class DeclareLaunchArgument:
    """Gives an argument that was not typed its default; one without a default has to be typed."""

    def __init__(self, name: str, *, default_value: str | None = None, description: str = "") -> None:
        self.name, self.default_value, self.description = name, default_value, description

    def visit(self, context: LaunchContext) -> None:
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f'Required launch argument "{self.name}" was not provided.')
            context.launch_configurations[self.name] = self.default_value


class OpaqueFunction:
    def __init__(self, *, function: Callable[[LaunchContext], list[object] | None]) -> None:
        self.function = function

    def visit(self, context: LaunchContext) -> list[object] | None:
        return self.function(context)
