"""The nodes, `eval` and `plan` decide the same from the same pictures, goals and seed, with the model that ships."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from jepa_planner.action import ReachGoalImage
from PIL import Image

from jepa_planner.cli.main import main
from jepa_planner.core.observation import Observation
from jepa_planner.learning.evaluation.policies import WorldModelPolicy
from jepa_planner.model.bundle import load_latent_statistics, load_sub_goal_head, load_verdict_head, model_folder
from jepa_planner.model.world_model import WorldModel
from jepa_planner.nodes.client import goal_image
from jepa_planner.nodes.conversions import image_to_array
from jepa_planner.nodes.goal_executor import Ended, Outcome
from jepa_planner.nodes.goal_preparation import GoalPreparation
from jepa_planner.planning.confirmation import cuts_of
from jepa_planner.planning.decision import Decision, DecisionKind
from jepa_planner.planning.energy import latent_energy
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.rollout_cost import WorldModelCost
from jepa_planner_sim.envs import PandaTaskEnv

FOLDER = model_folder()
SEED = 3
SEARCH = {"samples": 8, "iterations": 2}


@dataclass
class Scene:
    """What the cameras see [V, H, W, 3], the arm's state [8], and the pictures of the goals."""

    env: PandaTaskEnv
    images: np.ndarray
    state: np.ndarray
    goals: list[np.ndarray] = field(default_factory=list)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return WorldModel.load(FOLDER)


@pytest.fixture(scope="module", params=["dense", "one"])
def scene(request):
    env = PandaTaskEnv("pick_place")
    observation, _ = env.reset(seed=1_000_004, options={"goal_images": request.param})
    yield Scene(env, observation["images"], observation["state"], list(env.goal_images))
    env.close()


def planner_of(model: WorldModel) -> PlannerSettings:
    return PlannerSettings.load(FOLDER, model.contract)


@pytest.fixture
def small_search(model):
    """A search of milliseconds."""
    return planner_of(model).search().resized(**SEARCH).solver()


class Node:
    """What the preparation is given of mpc_node and of the encoder's node."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model
        self.goals = []
        self.parameters = {
            "solver": "", "horizon": 0, "deadline_s": 0.0, "seed": SEED, "imagine_sub_goals": "auto",
            "monitor_out_of_distribution": True,
            **SEARCH,
        }  # fmt: skip

    def encode(self, views) -> Observation:
        return self._model.observe(np.stack([image_to_array(view) for view in views])[None])[0]

    def report(self, decision, status: str) -> None:
        pass


def of_the_nodes(model: WorldModel, scene: Scene, observations: int = 100) -> list[Decision]:
    """Decisions while the arm and the cameras stay as they are, to the end."""
    node = Node(model)
    settings = planner_of(model)
    cost = WorldModelCost(model, latent_energy(settings.energy.kind), cuts_of(settings.search()))
    preparation = GoalPreparation(model.contract, settings, FOLDER, node.parameters, node, cost)
    request = ReachGoalImage.Goal(goals=[goal_image(g) for g in scene.goals], max_steps=scene.env.max_steps)
    controller = preparation.controller(request, node)
    decisions = []
    while len(decisions) < observations and (not decisions or decisions[-1].kind is DecisionKind.MOVE):
        decisions.append(controller.step(model.observe(scene.images[None])[0].with_state(scene.state)))
    return decisions


def of_the_evaluation(model: WorldModel, scene: Scene, solver) -> list[Decision]:
    policy = WorldModelPolicy(
        model, planner_of(model), solver=solver, sub_goal_head=load_sub_goal_head(FOLDER),
        imagine_sub_goals="auto", latent_statistics=load_latent_statistics(FOLDER),
        verdict_head=load_verdict_head(FOLDER),
    )  # fmt: skip
    policy.start(scene.env, scene.goals, SEED)
    decisions = []
    while policy.last is None or policy.last.kind is DecisionKind.MOVE:
        policy.act({"images": scene.images, "state": scene.state})
        decisions.append(policy.last)
    return decisions or [policy.last]


def planned(scene: Scene, tmp_path, *more: str) -> int:
    for name, pictures in (("now", scene.images), ("goal", scene.goals[-1])):
        for view, picture in zip("fs", pictures, strict=True):
            Image.fromarray(picture).save(tmp_path / f"{name}-{view}.png")
    paths = {name: str(tmp_path / f"{name}.png") for name in ("now-f", "goal-f", "now-s", "goal-s")}
    pictures = ["--image", paths["now-f"], "--goal", paths["goal-f"], "--second-view", paths["now-s"], paths["goal-s"]]
    size = [word for name, number in SEARCH.items() for word in (f"--{name}", str(number))]
    state = ["--state", *(repr(float(x)) for x in scene.state)]
    written = ["--seed", str(SEED), "--json", str(tmp_path / "plan.json")]
    return main(["check", "plan", *pictures, *state, *size, *written, *more])


def same(one: Decision, other: Decision) -> bool:
    actions = [None if d.action is None else d.action.tolist() for d in (one, other)]
    return actions[0] == actions[1] and (one.kind, one.reason, one.message) == (other.kind, other.reason, other.message)


def test_nodes_and_evaluation_decide_the_same_to_the_end(model, scene, small_search):
    """The arm and the cameras stay as they are, until patience is spent."""
    nodes, evaluation = of_the_nodes(model, scene), of_the_evaluation(model, scene, small_search)
    assert len(nodes) == len(evaluation)
    assert all(same(*pair) for pair in zip(nodes, evaluation, strict=True))
    assert (nodes[-1].reason.name, nodes[-1].total_steps) == ("STALLED", planner_of(model).progress.patience)
    assert (nodes[0].imagined is not None) == (len(scene.goals) == 1)
    assert nodes[-1].verdict is not None


def test_plan_prints_what_the_nodes_would_do(model, scene, tmp_path, capsys):
    scene = replace(scene, goals=scene.goals[-1:])
    assert planned(scene, tmp_path) == 0
    said, data = capsys.readouterr().out, json.loads((tmp_path / "plan.json").read_text())
    first = of_the_nodes(model, scene, observations=1)[0]
    np.testing.assert_allclose(data["actions"], first.plan.actions, atol=1e-6)
    np.testing.assert_allclose(data["sub_goal"]["state"], first.imagined.state, atol=1e-6)
    assert f"planned for {first.imagined}" in said
    assert planned(scene, tmp_path, "--imagine-sub-goals", "never") == 0
    plain = json.loads((tmp_path / "plan.json").read_text())
    assert plain["sub_goal"] is None and plain["actions"] != data["actions"]


def test_a_goal_out_of_distribution_is_refused_by_all_of_them_in_the_same_words(
    model, scene, small_search, tmp_path, capsys
):
    goals = [*scene.goals[:-1], np.zeros_like(scene.goals[-1])]
    dark = Scene(scene.env, scene.images, scene.state, goals)
    with pytest.raises(Ended) as ended:
        of_the_nodes(model, dark)
    (decision,) = of_the_evaluation(model, dark, small_search)
    assert ended.value.outcome is Outcome.UNFAMILIAR_GOAL
    assert (decision.reason.name, decision.message) == ("UNFAMILIAR_GOAL", ended.value.message)
    assert f"goal image {len(goals)} is unlike what the model was trained on: distance" in decision.message
    assert planned(dark, tmp_path) == 1
    said = capsys.readouterr().err
    assert "UNFAMILIAR_GOAL: goal image 1 is unlike what the model was trained on" in said
    assert "--no-monitor plans all the same" in said
    assert planned(dark, tmp_path, "--no-monitor") == 0


def test_a_picture_out_of_distribution_is_refused_by_all_of_them_in_the_same_words(
    model, scene, small_search, tmp_path, capsys
):
    dark = Scene(scene.env, np.zeros_like(scene.images), scene.state, scene.goals)
    (nodes,), (evaluation,) = of_the_nodes(model, dark), of_the_evaluation(model, dark, small_search)
    assert same(nodes, evaluation) and nodes.reason.name == "UNFAMILIAR_IMAGE"
    assert planned(dark, tmp_path) == 1
    assert f"UNFAMILIAR_IMAGE: {nodes.message}" in capsys.readouterr().err
