"""LeRobotDataset v3, read and written without the package lerobot."""
