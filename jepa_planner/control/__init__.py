"""Between a plan and a motor: limits, kinematics, setpoints."""
