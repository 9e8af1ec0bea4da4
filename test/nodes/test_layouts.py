"""What the layouts for RViz and Foxglove show is there: topics that our nodes publish, fields that messages have."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from jepa_planner.msg import PlanStats

from jepa_planner.core.shipped import shipped
from jepa_planner.nodes.arm_node import ArmNode
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.models import contract_of
from jepa_planner.nodes.mpc_node import MpcNode
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner_sim.sim_node import SimNode

OF_OTHERS = {"/robot_description"}
"""What robot_state_publisher says, which sim.launch.py starts."""


def topics_in(value: object) -> Iterator[str]:
    """All names of topics in a layout, keys included; the fields behind them are left out."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from topics_in(key)
            yield from topics_in(below)
    elif isinstance(value, list):
        for below in value:
            yield from topics_in(below)
    elif isinstance(value, str) and re.fullmatch(r"/\w+(/\w+)*(\.\w+)*", value):
        yield value.partition(".")[0]


def rviz() -> dict:
    return yaml.safe_load(shipped("config/jepa_planner.rviz").read_text())


def foxglove() -> dict:
    return json.loads(shipped("config/foxglove_layout.json").read_text())


@pytest.fixture(scope="module")
def published(ros) -> set[str]:
    """What the nodes publish that `jepa-planner run --sim` starts."""
    planner = [MpcNode(), ArmNode(), PredictorNode(), EncoderNode()]
    for node in planner:
        node.trigger_configure()
    nodes = [*planner, SimNode()]
    names = {publisher.topic_name for node in nodes for publisher in node.publishers}
    for node in planner:
        node.trigger_cleanup()
    for node in nodes:
        node.destroy_node()
    return names


@pytest.mark.parametrize("layout", [rviz, foxglove])
def test_every_topic_of_a_layout_is_published_by_a_node_of_ours(published, layout):
    topics = set(topics_in(layout()))
    assert topics - OF_OTHERS <= published
    pictures = {f"/{view}/image_raw" for view in contract_of().image.views}
    assert pictures | {"/mpc_node/markers", "/robot_description"} <= topics


def test_every_panel_of_the_foxglove_layout_has_its_place():
    def places(part: dict | str) -> list[str]:
        return [part] if isinstance(part, str) else [*places(part["first"]), *places(part["second"])]

    layout = foxglove()
    assert sorted(places(layout["layout"])) == sorted(layout["configById"])
    kinds = {panel.partition("!")[0] for panel in layout["configById"]}
    assert kinds == {"3D", "Image", "Plot", "RawMessages", "DiagnosticSummary"}


def test_what_foxglove_plots_are_fields_of_the_statistics():
    plotted = [path["value"] for path in foxglove()["configById"]["Plot!energy"]["paths"]]
    assert plotted == [f"/mpc_node/stats.{name}" for name in ("energy", "tolerance", "certainty")]
    assert {path.rpartition(".")[2] for path in plotted} <= PlanStats.get_fields_and_field_types().keys()


def test_both_layouts_stand_in_the_frame_of_all_poses():
    manager, frame = rviz()["Visualization Manager"], contract_of().state.frame
    assert manager["Global Options"]["Fixed Frame"] == foxglove()["configById"]["3D!scene"]["followTf"] == frame
    kinds = {display["Class"].rpartition("/")[2] for display in manager["Displays"]}
    assert {"TF", "RobotModel", "MarkerArray", "Image"} <= kinds
