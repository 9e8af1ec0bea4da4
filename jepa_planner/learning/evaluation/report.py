"""What an evaluation found, for people and as JSON."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jepa_planner.core.strict_fields import to_plain
from jepa_planner.learning.evaluation.statistics import percentile, wilson_interval
from jepa_planner.learning.evaluation.trials import WITHIN_STEPS, Trial, TrialSettings
from jepa_planner.planning.decision import OUT_OF_DISTRIBUTION, Reason
from jepa_planner.planning.solvers.settings import SearchSettings
from jepa_planner.planning.solvers.table import name_of


def summarise(
    trials: Sequence[Trial],
    settings: TrialSettings,
    plan_seconds: Sequence[float],
    model: str | None,
    baseline: str,
    ros: bool = False,
    search: SearchSettings | None = None,
    deadline_s: float | None = None,
    imagine_sub_goals: str | None = None,
    monitored: bool = False,
    verdict: bool = False,
) -> dict[str, Any]:
    """All numbers of an evaluation as plain JSON types; search and what follows: those used, where a model planned."""
    successes = sum(t.success for t in trials)
    low, high = wilson_interval(successes, len(trials))
    anomalies = {reason.name for reason in OUT_OF_DISTRIBUTION}
    return {
        "task": settings.task,
        "episodes": len(trials),
        "successes": successes,
        "success_rate": successes / len(trials),
        "wilson_low": round(low, 4),
        "wilson_high": round(high, 4),
        "success_means": success_means(trials, settings),
        **counts(trials, said=not settings.stop_at_success and any(t.reason for t in trials)),
        "ends": dict(Counter(t.reason for t in trials if t.reason)),
        "out_of_distribution": dict(Counter(t.reason for t in trials if t.reason in anomalies)),
        "plan_seconds_median": round(percentile(plan_seconds, 50), 4) if plan_seconds else None,
        "plan_seconds_p95": round(percentile(plan_seconds, 95), 4) if plan_seconds else None,
        "steps_median": percentile([t.steps for t in trials if t.success], 50) if successes else None,
        "distance_m_median": round(percentile([t.distance_m for t in trials], 50), 4),
        "scenes_drawn": sum(t.draws for t in trials),
        "baseline": baseline,
        "seed": settings.seed,
        "model": model,
        "goal_images": settings.goal_images,
        "vary": sorted(settings.vary),
        "strength": settings.strength,
        "setup": settings.setup,
        "stop_at_success": settings.stop_at_success,
        "unreachable": settings.unreachable,
        "ros": ros,
        "search": None if search is None else {"solver": name_of(search), **to_plain(search)},
        "deadline_s": deadline_s,
        "imagine_sub_goals": imagine_sub_goals,
        "monitored": monitored,
        "verdict": verdict,
        "trials": [dataclasses.asdict(t) for t in trials],
    }


def success_means(trials: Sequence[Trial], settings: TrialSettings) -> str:
    """What a success among these trials is, in words."""
    if settings.stop_at_success:
        return "solved at some moment, which ended the trial"
    if settings.unreachable:
        return f"ended as stalled or as out of distribution within {WITHIN_STEPS} steps"
    if not any(t.reason for t in trials):
        return "solved at the end: nothing was said"
    return 'said "reached", and it was true'


def counts(trials: Sequence[Trial], said: bool) -> dict[str, Any]:
    """What was said beside what was true; see docs/evaluation.md. Null where nothing was said that ended a trial."""
    verdicts: dict[str, Any] = {
        "reached_and_true": sum(t.reached and t.solved_at_end for t in trials),
        "reached_and_false": sum(t.reached and not t.solved_at_end for t in trials),
        "true_not_reached": sum(t.solved_at_end and not t.reached for t in trials),
        "stalled": sum(t.reason == Reason.STALLED.name for t in trials),
    }
    if not said:
        verdicts = dict.fromkeys(verdicts)
    waited = [max(0, t.steps - t.true_since) for t in trials if t.reached and t.true_since is not None and said]
    return verdicts | {
        "solved_at_some_moment": sum(t.was_solved for t in trials),
        "solved_at_end": sum(t.solved_at_end for t in trials),
        "steps_to_verdict_median": percentile(waited, 50) if waited else None,
    }


def in_words(summary: dict[str, Any]) -> str:
    """A few lines for a terminal."""
    who = summary["model"] if summary["baseline"] == "none" else f"baseline: {summary['baseline']}"
    unreachable, episodes = summary["unreachable"], summary["episodes"]
    goals = f"{summary['goal_images']} goal images" + (f", unreachable: {unreachable}" if unreachable else "")
    lines = [
        f"{summary['task']} ({goals}), {who}",
        f"  {summary['successes']}/{episodes} {'right' if unreachable else 'solved'} = {summary['success_rate']:.0%}, "
        f"95 % interval {summary['wilson_low']:.0%} to {summary['wilson_high']:.0%} ({summary['success_means']})",
    ]
    if unreachable:
        lines.append(
            f'  said "reached", which is false: {summary["reached_and_false"]}; ended as {_listed(summary["ends"])}'
        )
    else:
        lines += _said_beside_true(summary)
    if (anomalies := summary["out_of_distribution"]) and not unreachable:
        lines.append(f"  ended as out of distribution: {_listed(anomalies)}")
    if summary["plan_seconds_median"] is not None:
        lines.append(
            f"  {summary['plan_seconds_median']:.3f} s per plan (median), {summary['plan_seconds_p95']:.3f} s (95 %)"
        )
    if summary["steps_median"] is not None:
        lines.append(f"  {summary['steps_median']:.0f} steps when {'right' if unreachable else 'solved'} (median)")
    if failed := [str(t["seed"]) for t in summary["trials"] if not t["success"]]:
        lines.append(f"  failed on scenes {', '.join(failed[:12])}{' ...' if len(failed) > 12 else ''}")
    return "\n".join(lines)


def _said_beside_true(summary: dict[str, Any]) -> list[str]:
    lines = []
    if summary["reached_and_true"] is not None:
        lines.append(
            f'  said "reached": {summary["reached_and_true"]} true, {summary["reached_and_false"]} false; '
            f"true and not said: {summary['true_not_reached']}; stalled: {summary['stalled']}"
        )
    lines.append(f"  solved at some moment: {summary['solved_at_some_moment']}, at the end: {summary['solved_at_end']}")
    if summary["steps_to_verdict_median"] is not None:
        lines.append(f"  {summary['steps_to_verdict_median']:.0f} steps from truth to verdict (median)")
    return lines


def _listed(count_of: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(count_of.items()))
