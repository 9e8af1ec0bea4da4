"""`jepa-planner VERB`: one module per verb, imported only when it is chosen."""
