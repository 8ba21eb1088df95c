"""The template miner against drain3-improved: grouping accuracy on labelled lines, and lines a CPU second."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from statistics import median
from time import process_time
from typing import Any

from detect_log_corpus import FORMATS, lines

from detectors.logs import Miner

LINES = 4000
SPEED_ROUNDS = 3
"""Each takes a fraction of a second, so that one alone is whatever the machine did just then."""
DRAIN_MASKS = (
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-fA-F0-9]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
)
"""The masks of drain3's own documentation."""

BATCH = 500
"""Lines handed over at once: what a few busy services write in one tick."""

Learn = Callable[[Sequence[str]], list[int]]
"""Learns lines in their order and returns the number of each one's template."""


def _ours() -> Learn:
    miner = Miner()
    return lambda batch: list(miner.learn_each(batch))


def _drain3(masked: bool) -> Learn:
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    logging.getLogger("drain3").setLevel(logging.ERROR)
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    if masked:
        config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in DRAIN_MASKS]
    miner = TemplateMiner(config=config)
    return lambda batch: [int(miner.add_log_message(line)["cluster_id"]) for line in batch]


PEERS: dict[str, Callable[[], Learn]] = {
    "headwater": _ours,
    "drain3-improved": lambda: _drain3(masked=False),
    "drain3-improved with its documented masks": lambda: _drain3(masked=True),
}


def grouping_accuracy(found: Sequence[int], truth: Sequence[int]) -> float:
    """Share of lines whose group holds exactly the lines of their template (Zhu et al., ICSE-SEIP 2019)."""
    groups: dict[int, set[int]] = {}
    true: dict[int, set[int]] = {}
    for k, (mine, its) in enumerate(zip(found, truth, strict=True)):
        groups.setdefault(mine, set()).add(k)
        true.setdefault(its, set()).add(k)
    return sum(len(each) for each in groups.values() if each in true.values()) / len(found)


def run(count: int = LINES) -> dict[str, Any]:
    """Return accuracy per format and lines a second, for each peer, on the same lines in the same run."""
    corpus = {name: list(lines(name, count)) for name in FORMATS}
    _ours()(["compiled before it is timed"])
    mixed = [line for k in range(count) for line in (corpus[name][k][0] for name in FORMATS)]
    result: dict[str, Any] = {}
    for peer, make in PEERS.items():
        accuracy = {}
        for name, labelled in corpus.items():
            learn = make()
            bodies = [line for line, _ in labelled]
            # Numbers are seen once by templates that a later line generalises: ask again at the end.
            learn(bodies)
            accuracy[name] = round(grouping_accuracy(learn(bodies), [each for _, each in labelled]), 3)
        result[peer] = {
            "grouping_accuracy": round(sum(accuracy.values()) / len(accuracy), 3),
            "by_format": accuracy,
        }
    rounds = [
        {peer: _lines_per_s(make(), mixed) for peer, make in PEERS.items()} for _ in range(SPEED_ROUNDS)
    ]
    for peer in PEERS:
        result[peer]["lines_per_s"] = round(median(each[peer] for each in rounds))
    theirs = [max(each[peer] for peer in PEERS if peer != "headwater") for each in rounds]
    ours = result["headwater"]
    best = max(
        (result[peer] for peer in PEERS if peer != "headwater"), key=lambda each: each["grouping_accuracy"]
    )
    result["accuracy_over_best_peer"] = round(ours["grouping_accuracy"] - best["grouping_accuracy"], 3)
    ratios = [each["headwater"] / fastest for each, fastest in zip(rounds, theirs, strict=True)]
    result["speed_over_fastest_peer"] = round(median(ratios), 1)
    return result


def _lines_per_s(learn: Learn, lines: Sequence[str]) -> float:
    """Return how many lines a miner that has seen nothing learns in a second of CPU."""
    begin = process_time()
    for at in range(0, len(lines), BATCH):
        learn(lines[at : at + BATCH])
    return len(lines) / (process_time() - begin)
