"""Goal pictures to plans: the node around observe, plan, act."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action.server import ServerGoalHandle

from jepa_planner.action import ReachGoalImage
from jepa_planner.core.camera_calibration import load_cameras
from jepa_planner.core.observation import Observation
from jepa_planner.core.status import Status
from jepa_planner.model.bundle import model_folder
from jepa_planner.model.contract import ContractError
from jepa_planner.msg import ArmState, Latent
from jepa_planner.nodes import qos
from jepa_planner.nodes.action_chunks import ActionChunks
from jepa_planner.nodes.arm_states import arm_report
from jepa_planner.nodes.conversions import ConversionError, seconds
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.frames import PUBLISH_TF, CameraFrames, PlacedCamera, own_frame
from jepa_planner.nodes.goal_executor import ExecutorSettings, GoalExecutor, Outcome, Sink
from jepa_planner.nodes.goal_preparation import GoalPreparation, search_settings
from jepa_planner.nodes.goal_server import LAST_REJECTION, REJECTIONS, GoalServer
from jepa_planner.nodes.latents import observation_from
from jepa_planner.nodes.local_model import LocalCost, LocalEncoder
from jepa_planner.nodes.models import VIEWS, contract_of, model_id
from jepa_planner.nodes.parameters import Change, Parameter
from jepa_planner.nodes.plan_sink import PlannerPublisher, PlanSink
from jepa_planner.nodes.planner_node import PlannerNode, statuses
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner.nodes.predictor_pool import PredictorPool
from jepa_planner.nodes.remote_model import RemoteEncoder, ServiceTimeouts
from jepa_planner.nodes.state_buffer import StateBuffer
from jepa_planner.planning.factory import Controller
from jepa_planner.planning.planner_settings import PlannerSettings
from jepa_planner.planning.solvers.gradient import GradientSettings
from jepa_planner.planning.solvers.table import SOLVER_NAMES
from jepa_planner.planning.sub_goals import IMAGINE_MODES

GOAL_END_TIMEOUT_S = 5.0
UNFAMILIARITY = "unfamiliarity"
"""Where diagnostics say how unlike the training data the last observation was: 1 at the limit that ends goals."""
_REST = Change.AT_REST


class MpcNode(PlannerNode):
    """Serves the action `reach_goal_image` and `~/get_action_chunk`; reads `latent` and `arm_state`, sends `plan`,
    `~/stats`, `~/markers`.

    With an encoder and a predictor of the same process given, latents and candidates never leave it; without, they
    come from `encoder_node` and `predictor_node` over topics and services. Planning has a thread of its own.
    """

    PARAMETERS = (
        Parameter(
            "model", "", "Folder of the model bundle, for its contract and sub-goals; empty: the one that ships."
        ),
        VIEWS,
        Parameter("base_frame", "panda_link0", "Frame of all poses; must be the model's."),
        Parameter("tcp_frame", "tcp", "What poses are of: tcp_frame of arm_node's limits; must be the model's."),
        Parameter("seed", 0, "Seed of the search: the same inputs give the same plans.", 0, 2**31 - 1, change=_REST),
        Parameter("solver", "", "How plans are searched for; empty: the model's.", choices=SOLVER_NAMES),
        Parameter("samples", 0, "Candidates per iteration; 0: the model's.", 0, 100_000, change=_REST),
        Parameter("iterations", 0, "Iterations of the search; 0: the model's.", 0, 1000, change=_REST),
        Parameter("horizon", 0, "Steps that are imagined; 0: the model's.", 0, 64, change=_REST),
        Parameter(
            "deadline_s",
            0.0,
            "Time for a search, which then ends with its best plan so far; 0: the model's.",
            0.0,
            60.0,
            change=_REST,
        ),
        Parameter(
            "imagine_sub_goals",
            "auto",
            "Whether sub-goals are imagined on the way to a goal image; auto: where the model can and there are few "
            "images.",
            choices=IMAGINE_MODES,
        ),
        Parameter(
            "start_timeout_s",
            10.0,
            "Longest wait for a goal's first observation, and for an encoder or predictor that was never there.",
            0.05,
            600.0,
        ),
        Parameter("image_timeout_s", 1.0, "No image for so long ends the goal.", 0.05, 60.0),
        Parameter("joint_state_timeout_s", 1.0, "No joint state for so long ends the goal.", 0.05, 60.0),
        Parameter(
            "goal_timeout_s", 600.0, "Age at which a stamped goal image ends the goal.", 0.1, 86400.0, change=_REST
        ),
        Parameter(
            "predictors",
            ["predictor_node"],
            "Names of the predictor nodes over which each round of a search is shared out by their speed.",
        ),
        Parameter("predictor_timeout_s", 5.0, "Longest wait for one answer of predictor_node.", 0.05, 600.0),
        Parameter("encoder_timeout_s", 5.0, "Longest wait for one encoded goal image.", 0.05, 600.0),
        Parameter("plan_valid_s", 0.5, "The arm refuses a plan that arrives later than this.", 0.02, 10.0),
        Parameter(
            "settle_s", 0.03, "An image counts when taken so long after the arm came to rest.", 0.0, 5.0, change=_REST
        ),
        Parameter("arm_answer_timeout_s", 2.0, "Longest wait for the arm to take a plan.", 0.05, 60.0, change=_REST),
        Parameter("motion_timeout_s", 10.0, "Longest wait for the arm to rest and be seen.", 0.5, 600.0, change=_REST),
        Parameter(
            "monitor_out_of_distribution",
            True,
            "End goals at what the model does not know, where its bundle tells.",
            change=_REST,
        ),
        Parameter("max_refusals", 3, "So many plans that the arm refuses in a row end the goal.", 1, 100, change=_REST),
        PUBLISH_TF,
    )

    _encoder: LocalEncoder | RemoteEncoder
    _cost: LocalCost | PredictorPool

    def __init__(self, encoder: EncoderNode | None = None, predictor: PredictorNode | None = None, **options) -> None:
        self._encoder_node = encoder
        self._predictor_node = predictor
        self._goal_server: GoalServer | None = None
        super().__init__("mpc_node", **options)
        if encoder is not None:
            encoder.listen(self._on_observation, self._wants, lambda: self._buffer.rest())

    @property
    def _goals(self) -> GoalServer:
        """Of a node that was configured; raises RuntimeError before."""
        if self._goal_server is None:
            raise RuntimeError("mpc_node was not configured yet: it serves no goals")
        return self._goal_server

    def configure(self) -> None:
        if self._goal_server is None:  # it outlives cleanup, when the last goal's result is still to be sent
            self._goal_server = GoalServer(self, self._judge, self._executor_of)
        parameters = self.parameters
        self._contract = contract_of(parameters["model"], parameters["views"])
        self._contract.check_frame(parameters["base_frame"], parameters["tcp_frame"])
        self._model_id = model_id(self._contract)
        bundle = model_folder(parameters["model"])
        settings = PlannerSettings.load(bundle, self._contract)
        if self._predictor_node is None and isinstance(search_settings(settings, parameters), GradientSettings):
            raise ValueError("solver gradient needs the predictor in this process; run the planner's nodes composed")
        settings.imagines(parameters["imagine_sub_goals"], goals=1)  # refuses what the model cannot do
        self._buffer = StateBuffer(
            parameters["image_timeout_s"], parameters["joint_state_timeout_s"], self.now_s, self.lead_tolerance_s()
        )
        time_step_s = self._contract.action.time_step_s
        self._plans = PlannerPublisher(self, parameters["base_frame"], time_step_s, parameters["plan_valid_s"])
        self._cameras = CameraFrames(self, parameters["base_frame"], parameters["publish_tf"])
        self._cameras.tell(self._placed_cameras(bundle), self.get_clock().now().to_msg())
        self._subscriptions_ = [
            self.create_subscription(ArmState, "arm_state", self._on_arm_state, qos.STATE),
            self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS),
        ]
        if self._encoder_node is not None:
            self._encoder = LocalEncoder(self._encoder_node, self._model_id, self._goals.check)
        else:
            self._encoder = RemoteEncoder(self, self._model_id, self._service_timeouts("encoder"))
            self._subscriptions_.append(self.create_subscription(Latent, "latent", self._on_latent, qos.STREAM))
        if self._predictor_node is not None:
            self._cost = LocalCost(self._predictor_node, self._model_id, self._goals.check)
            if (names := parameters["predictors"]) != ["predictor_node"]:
                self.get_logger().warning(
                    f"predictors {', '.join(names)}: not used, the predictor of this process is; run the planner's "
                    "nodes in processes of their own"
                )
        else:
            names, said = self._predictor_names(), self._buffer.said
            self._cost = PredictorPool(self, names, self._model_id, self._service_timeouts("predictor"), said)
        self._preparation = GoalPreparation(self._contract, settings, bundle, parameters, self._encoder, self._cost)
        self._chunks = ActionChunks(
            self, self._contract, self._preparation, self._encoder, self._buffer, self._goals, self._executor,
            self._plans.want_picture,
        )  # fmt: skip
        if unmonitored := self._preparation.unmonitored:
            self.get_logger().warning(f"{self._model_id}: {unmonitored}")

    def deactivate(self) -> None:
        """Ends the goal that is being pursued; the arm is told to hold."""
        self._goals.interrupt(Outcome.DEACTIVATED, "the planner was deactivated")
        self._goals.wait_for_rest(GOAL_END_TIMEOUT_S)

    def cleanup(self) -> None:
        self._chunks.destroy()
        for subscription in self._subscriptions_:
            self.destroy_subscription(subscription)
        self._plans.destroy()
        self._cameras.destroy()
        for remote in (self._encoder, self._cost):
            remote.destroy()

    def destroy_node(self) -> None:
        """Ends the action with the node."""
        if self._goal_server is not None:
            self._goal_server.destroy()
        super().destroy_node()

    def is_moving(self) -> bool:
        return self._goal_server is not None and self._goal_server.busy

    def health(self) -> tuple[Status, dict[str, object]]:
        numbers = {"model": self._model_id, "executing": self._goals.busy, "last_outcome": self._goals.last_outcome}
        numbers |= {REJECTIONS: self._goals.rejections, LAST_REJECTION: self._goals.last_rejection}
        monitor = "monitor_out_of_distribution"
        numbers[monitor] = self._preparation.unmonitored or self.parameters[monitor]
        if (unfamiliarity := self._plans.unfamiliarity) is not None:
            numbers[UNFAMILIARITY] = round(unfamiliarity, 3)
        if isinstance(self._cost, PredictorPool):
            numbers |= self._cost.numbers()
        numbers |= {f"{what.replace(' ', '_')}_delay_s": round(s, 3) for what, s in self._buffer.delays_s().items()}
        return self._buffer.arm_status(), numbers

    def _wants(self, taken_s: float) -> bool:
        return self.active and self._buffer.wants(taken_s)

    def _on_observation(self, observation: Observation) -> None:
        if self.active:
            self._buffer.see(observation)

    def _on_latent(self, message: Latent) -> None:
        try:
            observation = observation_from(message, self._model_id)
            self._contract.check_observation(observation)
        except (ConversionError, ContractError) as error:
            self.get_logger().error(f"latent ignored: {error}", throttle_duration_sec=5.0)
            self._goals.interrupt(Outcome.INVALID_LATENT, str(error))
            return
        self._on_observation(observation)

    def _on_arm_state(self, message: ArmState) -> None:
        if not self.active:
            return
        try:
            report = arm_report(message)
        except ConversionError as error:
            self.get_logger().error(f"arm state ignored: {error}", throttle_duration_sec=5.0)
            return
        self._buffer.feel(report)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for node, status in statuses(message, self.get_namespace()).items():
            self._buffer.hear(node, seconds(message.header.stamp), status)

    def _judge(self, goal: ReachGoalImage.Goal) -> None:
        if not self.active:
            raise ValueError("the planner is not active")
        self._preparation.check(goal)

    def _executor_of(self, handle: ServerGoalHandle) -> GoalExecutor:
        sink = PlanSink(self, self._plans, handle, self._model_id)
        stamps_s = [seconds(view.header.stamp) for goal in handle.request.goals for view in goal.views]
        oldest_s = min((stamp for stamp in stamps_s if stamp > 0), default=0.0)
        return self._executor(lambda: self._preparation.controller(handle.request, sink), sink, oldest_s)

    def _executor(self, prepare: Callable[[], Controller], sink: Sink, goal_stamp_s: float = 0.0) -> GoalExecutor:
        channels = len(self._contract.state.channels)
        return GoalExecutor(prepare, self._buffer, sink, self._executor_settings(), self.now_s, channels, goal_stamp_s)

    def _placed_cameras(self, bundle: Path) -> list[PlacedCamera]:
        """Those of the model's views that were calibrated; raises ValueError for another base frame."""
        found = []
        for view, camera in load_cameras(bundle).items():
            if view in self._contract.image.views:
                self._contract.check_frame(camera.frame)
                frame = own_frame(self, f"jepa_{view}_optical_frame")
                found.append(PlacedCamera(view, frame, np.array(camera.xyz_m), camera.rotation))
        return found

    def _predictor_names(self) -> list[str]:
        names: list[str] = self.parameters["predictors"]
        if not all(names) or len(set(names)) < len(names):
            raise ValueError(f"predictors is {names}; expected the names of predictor nodes, each once")
        return names

    def _service_timeouts(self, who: str) -> ServiceTimeouts:
        said, answer_s = partial(self._buffer.said, f"{who}_node"), self.parameters[f"{who}_timeout_s"]
        return ServiceTimeouts(self.parameters["start_timeout_s"], answer_s, self._goals.check, said)

    def _executor_settings(self) -> ExecutorSettings:
        given = self.parameters
        return ExecutorSettings(
            start_timeout_s=given["start_timeout_s"],
            settle_s=given["settle_s"],
            arm_answer_timeout_s=given["arm_answer_timeout_s"],
            motion_timeout_s=given["motion_timeout_s"],
            goal_timeout_s=given["goal_timeout_s"],
            max_refusals=given["max_refusals"],
        )


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(MpcNode)


if __name__ == "__main__":
    sys.exit(main())
