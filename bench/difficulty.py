"""Measure whether the random worlds are hard enough, and whether they can be told at all.

python bench/difficulty.py [--worlds N] [--faults M] [--seed S] [--services K] [--hours H] [--jobs J] [--json]

Simple rules (latest change, earliest anomaly, largest deviation) must name at most .4 of the roots, told the
start; an oracle that knows the mechanism (`oracle.py`) must name well above .9 of those marked tellable.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from oracle import suspect

from streams.evaluation.baselines import RULES
from streams.evaluation.evaluate import Task, evaluate, open_named
from streams.evaluation.signals import chosen_signals
from streams.simulator import CampaignOptions, simulate
from streams.simulator.campaign import campaign_plan


def told(number: int, options: CampaignOptions, folder: Path) -> list[tuple[str, str, str, str, str | None]]:
    """Write one world; (world, fault, mechanism, root, whom the oracle names) of its tellable faults."""
    plan = campaign_plan(number, options)
    if not plan.faults:
        return []
    seed = options.seed * 100_003 + number
    path = simulate(plan, folder / plan.name, seed)
    truths = [json.loads(line) for line in (path / "truth.jsonl").read_text().splitlines()]
    tellable = {truth["fault_id"] for truth in truths if truth["tellable"]}
    return [
        (plan.name, fault.fault_id, fault.kind, fault.root_service, suspect(plan, fault, path, seed))
        for fault in plan.faults
        if fault.fault_id in tellable
    ]


def rules(folder: Path, jobs: int) -> dict[str, float | int]:
    """AC@1 of the simple rules, blind and told the start, as `headwater eval` prints them."""
    outcomes = evaluate(
        [Task(recording, chosen_signals(None)) for recording in open_named([folder])], jobs=jobs
    )
    cases = [case for outcome in outcomes if outcome.scored for case in outcome.scored.cases]
    found: dict[str, float | int] = {"faults": len(cases)}
    for name in RULES:
        for how, answers in (
            ("blind", [case.baselines[name] for case in cases]),
            ("told", [case.baselines_told[name] for case in cases]),
        ):
            found[f"{name}, {how}"] = round(
                sum(answer.credit(1) for answer in answers if answer) / max(len(cases), 1), 3
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=16, help="every sixth has no fault")
    parser.add_argument("--faults", type=int, default=5, help="in each world")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--services", type=int, default=25, help="of each world; 0 draws 8 to 200")
    parser.add_argument("--hours", type=float, default=2.0, help="of quiet before the first fault")
    parser.add_argument("--jobs", type=int, default=1, help="worlds judged at the same time")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = CampaignOptions(
        seed=arguments.seed,
        faults=arguments.faults,
        services=arguments.services or None,
        hours=arguments.hours,
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cases = [case for number in range(arguments.worlds) for case in told(number, options, folder)]
        simple = rules(folder, arguments.jobs)
    right = sum(root == named for *_, root, named in cases)
    share = round(right / max(len(cases), 1), 3)
    if arguments.json:
        print(json.dumps({"rules": simple, "oracle": {"tellable": len(cases), "right": right, "ac1": share}}))
        return
    for name, figure in simple.items():
        print(f"{name:32} {figure}")
    for world, fault, kind, root, named in cases:
        if named != root:
            print(f"  the oracle errs: {world} {fault} {kind} at {root}, named {named}")
    print(f"oracle: {right} of {len(cases)} tellable faults, AC@1 {share}")


if __name__ == "__main__":
    main()
