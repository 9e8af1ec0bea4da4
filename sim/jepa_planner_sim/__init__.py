"""A PyBullet Panda before a table: world, Gymnasium environments, scripted expert, data collection and the ROS 2 sim
node.
"""

from contextlib import suppress

ENV_IDS = {
    "reach": "jepa_planner/PandaReach-v0",
    "grasp": "jepa_planner/PandaGrasp-v0",
    "push": "jepa_planner/PandaPush-v0",
    "pick_place": "jepa_planner/PandaPickPlace-v0",
    "stack": "jepa_planner/PandaStack-v0",
    "rearrange": "jepa_planner/PandaRearrange-v0",
}

with suppress(ModuleNotFoundError):  # verbs explain themselves without Gymnasium, and what needs it says so
    import gymnasium

    for _task, _env_id in ENV_IDS.items():
        if _env_id not in gymnasium.registry:
            gymnasium.register(id=_env_id, entry_point="jepa_planner_sim.envs:PandaTaskEnv", kwargs={"task": _task})
