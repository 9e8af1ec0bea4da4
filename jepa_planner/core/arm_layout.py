"""Which number of an arm state and of an action is which. All else that knows it has it from here.

An action is the change that one step asks for, in the robot's base frame: metres, radians, closure from 0 (open) to
1 (closed). The first seven channels of a state are what an action changes, in the same order.
"""

POSE_CHANNELS = ("x_m", "y_m", "z_m", "roll_rad", "pitch_rad", "yaw_rad")
ACTION_CHANNELS: tuple[str, ...] = (*(f"d{channel}" for channel in POSE_CHANNELS), "dclosure")
STATE_CHANNELS: tuple[str, ...] = (*POSE_CHANNELS, "closure_commanded", "closure_measured")
"""Of a full state: the pose of the tcp, angles extrinsic xyz, and the gripper."""
STATE_LAYOUTS = ((*POSE_CHANNELS, "closure_measured"), STATE_CHANNELS)
"""The states that a model may take: where fingers are measured but not commanded, the measured one is all there is."""

AXES = len(ACTION_CHANNELS)
AXIS_NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
AXIS_UNITS = ("m", "m", "m", "rad", "rad", "rad", "closure")

XYZ, RPY = slice(0, 3), slice(3, 6)
X, Y, Z, ROLL, PITCH, YAW, GRIPPER = range(AXES)
"""Of an action and of a state, whose GRIPPER is the commanded closure where there is one."""
MEASURED = -1
"""Of a state: the measured closure stands last in every layout."""
