"""Goal pictures to plans: the action server around look, think, move."""

from __future__ import annotations

import sys
import threading
from queue import Queue

import numpy as np
import torch
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future
from torch import Tensor

from jepa_planner.action import ReachGoalImage
from jepa_planner.control.arm_executive import Mode
from jepa_planner.msg import ArmState, Latent
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import ConversionError, latent_to_array, numbers, seconds
from jepa_planner.nodes.encoder_node import EncoderNode
from jepa_planner.nodes.goal_preparation import GoalPreparation, search_settings
from jepa_planner.nodes.goal_pursuit import Ended, GoalPursuit, Outcome, PursuitSettings
from jepa_planner.nodes.hands import GoalHands, PlanPublisher
from jepa_planner.nodes.local_model import LocalEncoder, LocalImagination
from jepa_planner.nodes.models import VIEWS, contract_of, model_id
from jepa_planner.nodes.parameters import Change, Parameter
from jepa_planner.nodes.planner_node import PlannerNode, wait_until
from jepa_planner.nodes.predictor_node import PredictorNode
from jepa_planner.nodes.remote_model import Patience, RemoteEncoder, RemoteImagination
from jepa_planner.nodes.senses import ArmReport, Observation, Senses
from jepa_planner.planning.gradient import GradientSettings
from jepa_planner.planning.optimisers import OPTIMISER_NAMES
from jepa_planner.planning.sub_goals import IMAGINE_MODES
from jepa_planner.world_model.bundle import model_folder
from jepa_planner.world_model.contract import ContractError

PURSUIT_END_TIMEOUT_S = 5.0
RESULT_KEPT_S = 30
"""For who asks late; rclpy keeps a goal with all its pictures for as long, 900 s by default."""
_REST = Change.AT_REST


class MpcNode(PlannerNode):
    """Serves the action `reach_goal_image`; reads `latent` and `arm_state`, sends `plan`, `~/stats`, `~/markers`.

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
        Parameter("optimiser", "", "How plans are searched for; empty: the model's.", choices=OPTIMISER_NAMES),
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
            "Longest wait for a goal's first look, and for an encoder or predictor that was never there.",
            0.05,
            600.0,
        ),
        Parameter("image_timeout_s", 1.0, "No image for so long ends the goal.", 0.05, 60.0),
        Parameter("joint_state_timeout_s", 1.0, "No joint state for so long ends the goal.", 0.05, 60.0),
        Parameter(
            "goal_timeout_s", 600.0, "Age at which a stamped goal image ends the goal.", 0.1, 86400.0, change=_REST
        ),
        Parameter("predictor_timeout_s", 5.0, "Longest wait for one answer of predictor_node.", 0.05, 600.0),
        Parameter("encoder_timeout_s", 5.0, "Longest wait for one encoded goal image.", 0.05, 600.0),
        Parameter("plan_valid_s", 0.5, "The arm refuses a plan that arrives later than this.", 0.02, 10.0),
        Parameter(
            "settle_s", 0.03, "An image counts when taken so long after the arm came to rest.", 0.0, 5.0, change=_REST
        ),
        Parameter("arm_answer_timeout_s", 2.0, "Longest wait for the arm to take a plan.", 0.05, 60.0, change=_REST),
        Parameter("motion_timeout_s", 10.0, "Longest wait for the arm to rest and be seen.", 0.5, 600.0, change=_REST),
        Parameter("wary", True, "End goals at what the model does not know, where its bundle tells.", change=_REST),
        Parameter("max_refusals", 3, "Plans that the arm may refuse in a row.", 1, 100, change=_REST),
    )

    def __init__(self, encoder: EncoderNode | None = None, predictor: PredictorNode | None = None, **options) -> None:
        self._encoder_node = encoder
        self._predictor_node = predictor
        self._newest: GoalPursuit | None = None
        self._running: GoalPursuit | None = None
        self._outcome = ""
        super().__init__("mpc_node", **options)
        if encoder is not None:
            encoder.listen(self._on_observation, lambda: self.active and self._senses.image_wanted)

    def configure(self) -> None:
        given = self.parameters
        self._contract = contract_of(given["model"], given["views"])
        self._contract.check_frame(given["base_frame"], given["tcp_frame"])
        self._model_id = model_id(self._contract)
        if self._predictor_node is None and isinstance(search_settings(self._contract, given), GradientSettings):
            raise ValueError("optimiser gradient needs the predictor in this process; run the planner's nodes composed")
        self._contract.imagines(given["imagine_sub_goals"], goals=1)  # refuses what the model cannot do
        self._senses = Senses(given["image_timeout_s"], given["joint_state_timeout_s"], self.now_s)
        time_step_s = self._contract.action.time_step_s
        self._plans = PlanPublisher(self, given["base_frame"], time_step_s, given["plan_valid_s"])
        self._subscriptions_ = [self.create_subscription(ArmState, "arm_state", self._on_arm_state, qos.STATE)]
        if self._encoder_node is not None:
            self._encoder = LocalEncoder(self._encoder_node)
        else:
            self._encoder = RemoteEncoder(self, self._model_id, self._patience("encoder_timeout_s"))
            self._subscriptions_.append(self.create_subscription(Latent, "latent", self._on_latent, qos.SENSOR))
        if self._predictor_node is not None:
            self._imagination = LocalImagination(self._predictor_node, self._check)
        else:
            self._imagination = RemoteImagination(self, self._model_id, self._patience("predictor_timeout_s"))
        self._preparation = GoalPreparation(
            self._contract, model_folder(given["model"]), given, self._encoder, self._imagination
        )
        self._work: Queue[tuple[GoalPursuit, Future] | None] = Queue()
        threading.Thread(target=self._pursue, args=(self._work,), name="pursuit", daemon=True).start()
        self._server = ActionServer(
            self,
            ReachGoalImage,
            "reach_goal_image",
            execute_callback=self._execute,
            goal_callback=self._judge_goal,
            handle_accepted_callback=self._begin,
            cancel_callback=self._cancel,
            result_timeout=RESULT_KEPT_S,
        )

    def deactivate(self) -> None:
        """Ends the goal that is being pursued; the arm is told to hold."""
        if self._newest is not None:
            self._newest.interrupt(Outcome.DEACTIVATED, "the planner was deactivated")
        wait_until(lambda: not self._work.unfinished_tasks, PURSUIT_END_TIMEOUT_S)

    def cleanup(self) -> None:
        self._work.put(None)
        self._server.destroy()
        for subscription in self._subscriptions_:
            self.destroy_subscription(subscription)
        for publisher in self._plans.entities:
            self.destroy_lifecycle_publisher(publisher)
        for remote in (self._encoder, self._imagination):
            remote.destroy()

    def is_moving(self) -> bool:
        return self._newest is not None

    def health(self) -> tuple[bool, str, dict[str, object]]:
        complaint = self._senses.arm_complaint()
        numbers = {"model": self._model_id, "pursuing": self._newest is not None, "last_outcome": self._outcome}
        return not complaint, complaint, numbers

    def _check(self) -> None:
        """Raises Ended when the running goal was interrupted; called between batches of candidates."""
        if self._running is not None:
            self._running.check()

    def _on_observation(self, latent: Tensor, stamp_s: float) -> None:
        if self.active:
            self._senses.see(Observation(latent, stamp_s))

    def _on_latent(self, message: Latent) -> None:
        try:
            latent = latent_to_array(message, self._model_id)
            self._contract.check_observed(latent.shape)
        except (ConversionError, ContractError) as error:
            self.get_logger().error(f"latent ignored: {error}", throttle_duration_sec=5.0)
            if self._newest is not None:
                self._newest.interrupt(Outcome.INVALID_LATENT, str(error))
            return
        self._on_observation(torch.from_numpy(latent), seconds(message.header.stamp))

    def _on_arm_state(self, message: ArmState) -> None:
        if not self.active:
            return
        self._senses.feel(
            ArmReport(
                stamp_s=seconds(message.header.stamp),
                mode=Mode(message.mode),
                moving=message.moving,
                reason=message.reason,
                rest_since_s=seconds(message.rest_since),
                plan_id=message.plan_id,
                refused_plan_id=message.refused_plan_id,
                pose=np.concatenate([numbers(message.position), numbers(message.rpy)]),
                commanded_pose=np.concatenate([numbers(message.commanded_position), numbers(message.commanded_rpy)]),
                closedness_commanded=message.closedness_commanded,
                closedness_measured=message.closedness_measured,
            )
        )

    def _judge_goal(self, goal: ReachGoalImage.Goal) -> GoalResponse:
        """Rejects what can never be pursued; the log says why, because a rejection carries no text."""
        try:
            if not self.active:
                raise ValueError("the planner is not active")
            self._preparation.check(goal)
        except ValueError as error:
            self.get_logger().error(f"goal rejected: {error}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, handle: ServerGoalHandle) -> None:
        """The new goal begins when the one before it, which is interrupted, has come to its end."""
        before = self._newest
        hands = GoalHands(self, self._plans, handle)
        settings = self._pursuit_settings()
        stamps_s = [seconds(view.header.stamp) for goal in handle.request.goals for view in goal.views]
        pursuit = GoalPursuit(
            lambda: self._preparation.controller(handle.request, hands),
            self._senses,
            hands,
            settings,
            self.now_s,
            len(self._contract.state.channels),
            goal_stamp_s=min((stamp for stamp in stamps_s if stamp > 0), default=0.0),
        )
        self._newest = pursuit
        if before is not None:
            before.interrupt(Outcome.PREEMPTED, "a newer goal took its place")
        handle.execute()

    async def _execute(self, handle: ServerGoalHandle) -> ReachGoalImage.Result:
        pursuit, done = self._newest, Future()
        self._work.put((pursuit, done))
        end: Ended = await done
        if self._newest is pursuit:
            self._newest = None
        self._outcome = f"{end.outcome.name}: {end.message}"
        self.get_logger().info(f"goal ended after {pursuit.steps} steps, {self._outcome}")
        if end.outcome is Outcome.REACHED:
            handle.succeed()
        elif end.outcome is Outcome.CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        last = pursuit.last
        return ReachGoalImage.Result(
            code=int(end.outcome),
            message=end.message,
            steps=pursuit.steps,
            sub_goals_reached=0 if last is None else last.sub_goals_reached,
            final_energy=float("nan") if last is None else last.energy,
        )

    def _pursue(self, work: Queue[tuple[GoalPursuit, Future] | None]) -> None:
        """One goal after another, always in the same thread: each new one would keep memory of its own."""
        while (job := work.get()) is not None:
            self._running, done = job
            end = self._running.run()
            self._running = None
            done.set_result(end)
            work.task_done()
            if self.executor is not None:  # it sleeps until something arrives, and a future is nothing that arrives
                self.executor.wake()

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._newest is not None:
            self._newest.interrupt(Outcome.CANCELLED, "cancelled by the sender")
        return CancelResponse.ACCEPT

    def _patience(self, answer: str) -> Patience:
        return Patience(self.parameters["start_timeout_s"], self.parameters[answer], self._check)

    def _pursuit_settings(self) -> PursuitSettings:
        given = self.parameters
        return PursuitSettings(
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
