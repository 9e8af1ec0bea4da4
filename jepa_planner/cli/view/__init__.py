"""The page of `jepa-planner view`: what a browser shows of a running planner, and what a person does there."""
