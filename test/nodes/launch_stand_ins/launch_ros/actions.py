"""A process with nodes."""

import tempfile

import yaml

from launch import LaunchContext


class Node:
    """Knows the command line that `ros2 launch` would start, in its order; it starts nothing."""

    def __init__(
        self,
        *,
        executable: str,
        package: str,
        name: str | None = None,
        namespace: str | None = None,
        parameters: list[str | dict[str, object]] | None = None,
        remappings: list[tuple[str, str]] | None = None,
        ros_arguments: list[str] | None = None,
        arguments: list[str] | None = None,
        output: str = "log",
    ) -> None:
        if output not in ("log", "screen", "both", "own_log", "full"):
            raise ValueError(f"output is {output!r}")
        for given in (parameters, ros_arguments, arguments):
            if not isinstance(given, list | None):
                raise TypeError(f"expected a list, got {given!r}")
        self.node_executable, self.package, self.name, self.namespace = executable, package, name, namespace
        self.parameters, self.remappings = parameters or [], remappings or []
        self.ros_arguments, self.arguments = ros_arguments or [], arguments or []

    def command(self, context: LaunchContext) -> list[str]:
        """The path of the executable, then its arguments; a relative namespace goes below the one of `context`."""
        words = [f"lib/{self.package}/{self.node_executable}", *self.arguments]
        words += ["--ros-args", *self.ros_arguments] if self.ros_arguments else []
        words += ["--ros-args"]
        if self.name is not None:
            words += ["-r", f"__node:={self.name}"]
        below, namespace = context.launch_configurations.get("ros_namespace", ""), self.namespace
        if namespace is not None or below:
            namespace = namespace or ""
            parts = [namespace] if namespace.startswith("/") else [below, namespace]
            words += ["-r", "__ns:=/" + "/".join(part.strip("/") for part in parts if part.strip("/"))]
        for given in self.parameters:
            words += ["--params-file", given if isinstance(given, str) else _written(given)]
        for old, new in self.remappings:
            words += ["-r", f"{old}:={new}"]
        return words


def _written(parameters: dict[str, object]) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="launch_params_", delete=False) as file:
        yaml.safe_dump({"/**": {"ros__parameters": parameters}}, file)
    return file.name
