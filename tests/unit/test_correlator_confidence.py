import math
import random
from dataclasses import replace

import numpy as np
import pytest

from correlator import Engine
from correlator.confidence import NEEDED, Calibration, Prior, unseen_calls
from correlator.confidence_prior import CENTRE, SCALE, WEIGHTS
from correlator.evidence import EdgeSource, Progress, Verdict
from correlator.grouping import OpenIncident
from correlator.scene import Scene
from correlator.topology import Topology
from detectors.anomaly import Family
from streams.evaluation.confidence_fit import (
    EXPECTED,
    calibration_error,
    fit,
    left_out,
    quality,
    table,
)
from streams.evaluation.examples import Example
from tests.hand_made import MINUTE, T0, edge, episode, opened

PRIOR = Prior(0.0, {"margin": 1.0, "rest": -1.0}, {"margin": 0.5, "rest": 1.0}, {"margin": 0.25, "rest": 0.5})
CLEAR = {"margin": 1.0, "rest": 0.0}
MUDDLED = {"margin": 0.0, "rest": 3.0}


def test_without_verdicts_the_confidence_is_the_prior():
    assert Calibration(PRIOR).probability({"margin": 0.75, "rest": 1.0}) == pytest.approx(
        1 / (1 + math.exp(-1))
    )
    assert not Calibration(PRIOR).calibrated


def test_a_feature_that_nobody_measured_counts_as_usual():
    assert Calibration(PRIOR).probability({"margin": 0.5}) == pytest.approx(0.5)


def test_verdicts_turn_a_domain_in_which_the_prior_is_wrong():
    mine = Calibration(PRIOR)
    before = mine.probability(CLEAR), mine.probability(MUDDLED)
    assert before[0] > 0.9
    assert before[1] < 0.1
    for _ in range(3):
        mine.learn(CLEAR, right=False)
    assert mine.probability(CLEAR) > 0.8, "three verdicts do not overturn what hundreds of incidents taught"
    for _ in range(2 * NEEDED):
        mine.learn(CLEAR, right=False)
    assert mine.probability(CLEAR) < 0.35
    assert mine.calibrated


def test_what_was_learnt_survives_a_dump_and_a_prior_that_changed_its_features():
    mine = Calibration(PRIOR)
    for _ in range(5):
        mine.learn(CLEAR, right=False)
    again = Calibration(PRIOR)
    again.restore(mine.dump())
    assert again.probability(CLEAR) == mine.probability(CLEAR)
    assert again.labels == 5
    other = Calibration(
        Prior(0.0, {"margin": 1.0, "new": 2.0}, {"margin": 0.5, "new": 0.0}, {"margin": 1, "new": 1})
    )
    other.restore(mine.dump())
    assert other.dump()["weights"] == {"margin": mine.dump()["weights"]["margin"], "new": 2.0}


def test_the_shipped_prior_is_complete():
    assert WEIGHTS.keys() == CENTRE.keys() == SCALE.keys()
    assert min(SCALE.values()) > 0


def test_every_feature_of_the_shipped_prior_points_where_anybody_would_expect():
    assert {name: math.copysign(1.0, weight) for name, weight in WEIGHTS.items()}.items() <= EXPECTED.items()


def _incident():
    engine = Engine("shop")
    for item in [
        edge("web", "db"),
        *episode("db", Family.SATURATION, T0 + 2 * MINUTE, score=11.0),
        *episode("db", Family.LATENCY, T0 + 2 * MINUTE),
        *episode("web", Family.LATENCY, T0 + 2 * MINUTE),
    ]:
        engine.apply(item)
    found = engine.apply(Progress(domain="shop", source="p", watermark_ms=T0 + 30 * MINUTE))
    return engine, found[-1]


def test_a_confidence_that_moved_by_a_tenth_is_a_revision_that_says_so():
    engine = Engine("shop")
    items = [edge("web", "db"), edge("api", "db")]
    at = T0 + 70 * MINUTE
    items += episode("db", Family.SATURATION, at, score=4.0, minutes=6)
    items += episode("db", Family.LATENCY, at, score=3.0, minutes=6)
    items += episode("web", Family.CPU, at, score=6.0, minutes=6, unit="%", observed=60.0, expected=20.0)
    items += [
        a.model_copy(update={"score": 40.0, "peak_score": 40.0}) for a in items[2:] if at + 90_000 <= a.ts_ms
    ]
    found = []
    for item in items:
        engine.apply(item)
    for minute in range(80 * 4):
        found += engine.apply(Progress(domain="shop", source="p", watermark_ms=T0 + minute * MINUTE // 4))
    said = [(r.revision, r.hypotheses[0].service, r.hypotheses[0].confidence, r.what_changed) for r in found]
    assert any("confidence is now" in text for *_, text in said), said


def test_an_incident_that_opens_while_another_is_open_is_less_sure():
    def trouble(caller, callee, at):
        return [
            edge(caller, callee),
            *episode(callee, Family.SATURATION, at, score=11.0),
            *episode(caller, Family.LATENCY, at),
        ]

    def confidence(items):
        return next(i for i in opened(items).values() if "db" in i.services).hypotheses[0].confidence

    late = T0 + 12 * MINUTE
    alone = confidence(trouble("web", "db", late))
    assert confidence([*trouble("app", "cache", T0 + 10 * MINUTE), *trouble("web", "db", late)]) < alone
    assert confidence([*trouble("app", "cache", T0 - 60 * MINUTE), *trouble("web", "db", late)]) == alone
    # Of two that open at one moment neither is the echo.
    assert confidence([*trouble("app", "cache", late), *trouble("web", "db", late)]) == alone
    assert confidence([*trouble("web", "db", late), *trouble("app", "cache", late)]) == alone


def test_a_root_is_less_sure_where_nobody_sees_the_calls_around_it():
    def confidence(*sources):
        items = [
            *(edge("web", callee, source) for callee, source in sources),
            *episode("web", Family.LATENCY, T0 + 2 * MINUTE, score=11.0),
            *episode("web", Family.ERROR, T0 + 2 * MINUTE),
        ]
        (incident,) = opened(items).values()
        assert incident.hypotheses[0].service == "web"
        return incident.hypotheses[0].confidence

    seen, told = EdgeSource.SERVICE_GRAPH, EdgeSource.DECLARED
    both = confidence(("db", seen), ("cache", seen))
    one = confidence(("db", seen), ("cache", told))
    assert both > one > confidence(("db", told), ("cache", told))


def test_a_store_is_less_sure_where_nobody_sees_what_its_callers_call():
    def confidence(source):
        items = [
            edge("web", "db"),
            *(edge("web", callee, source) for callee in ("cache", "queue")),
            *episode("db", Family.SATURATION, T0 + 2 * MINUTE, score=11.0),
            *episode("web", Family.LATENCY, T0 + 2 * MINUTE),
        ]
        (incident,) = opened(items).values()
        assert incident.hypotheses[0].service == "db"
        return incident.hypotheses[0].confidence

    assert confidence(EdgeSource.SERVICE_GRAPH) > confidence(EdgeSource.DECLARED)


def test_calls_are_unseen_where_they_are_only_declared_and_nothing_is_said_where_none_is_known():
    topology = Topology()
    for fact in (edge("web", "db"), edge("api", "db", EdgeSource.DECLARED), edge("api", "web")):
        topology.apply(fact)
    scene = Scene(T0, T0, MINUTE, {}, topology, {})
    assert unseen_calls(scene, ["web"]) == 0.0
    assert unseen_calls(scene, ["api"]) == 0.5
    assert unseen_calls(scene, ["web", "api"]) == pytest.approx(1 / 3)
    assert unseen_calls(scene, ["db"]) is None


def test_an_incident_that_went_into_another_is_not_counted_beside_it():
    state = OpenIncident("hw-1", opened_ms=T0, onset_ms=T0, last_growth_ms=T0, interval_ms=MINUTE)
    assert state.is_open_before(T0 + MINUTE)
    assert not replace(state, merged_into="hw-0").is_open_before(T0 + MINUTE)


def _verdict(incident, number, *, right, at_ms):
    return Verdict(id=f"v{number}", domain="shop", ts_ms=at_ms, incident_id=incident.id, right=right)


def test_a_verdict_of_the_next_morning_is_learnt_once_and_outlives_a_restart():
    engine, incident = _incident()
    before = incident.hypotheses[0].confidence
    morning = T0 + 15 * 60 * MINUTE
    engine.apply(edge("web", "db").model_copy(update={"last_seen_ms": morning}))
    engine.apply(Progress(domain="shop", source="p", watermark_ms=morning))
    assert not engine.memory.incidents, "the incident itself is long forgotten"
    for number in range(2):
        engine.apply(_verdict(incident, number, right=False, at_ms=morning + MINUTE))
    engine.apply(Progress(domain="shop", source="p", watermark_ms=morning + 2 * MINUTE))
    assert engine.memory.calibration.labels == 1
    assert engine.memory.past.named_wrong == {"db": 1}
    again = Engine.load(engine.dump())
    assert again.dump() == engine.dump()
    looks = engine.memory.named[incident.id].looks
    assert again.memory.calibration.probability(looks) < before


def _examples(systems, n, rng, *, informative=True):
    found = []
    for system in range(systems):
        for number in range(n):
            x = rng.random()
            right = rng.random() < (x if informative else 0.6)
            looks = {"signal": x, "noise": rng.random(), "constant": 1.0}
            found.append(Example(f"w{system}", f"w{system}", str(number), looks, right, judged=True))
    return found


def test_a_fit_is_calibrated_on_systems_that_it_has_not_seen():
    data = table(_examples(20, 40, random.Random(1)))
    unseen = quality(left_out(data), data.y)
    assert unseen["brier_skill"] > 0.2
    assert unseen["calibration_error"] < 0.06
    assert "constant" not in fit(data).weights


def test_a_fit_on_features_that_say_nothing_claims_no_skill():
    data = table(_examples(20, 40, random.Random(2), informative=False))
    assert abs(quality(left_out(data), data.y)["brier_skill"]) < 0.03


def test_four_incidents_that_are_shown_again_with_less_count_as_one():
    examples = _examples(2, 1, random.Random(4))
    again = [replace(e, recording=f"{e.recording}, less", whole=False) for e in examples]
    data = table([*examples, *again])
    assert data.weight[~data.whole].sum() * 4 == data.weight[data.whole].sum() == 2.0


def test_a_feature_that_points_against_all_reason_is_left_out():
    examples = _examples(5, 40, random.Random(3))
    odd = [
        replace(e, looks={**e.looks, "flips": e.looks["signal"], "score": e.looks["signal"]})
        for e in examples
    ]
    assert set(fit(table(odd)).weights) == {"signal", "noise", "score"}


def test_a_confidence_that_is_always_too_high_has_that_calibration_error():
    assert calibration_error(np.full(100, 0.9), np.arange(100) % 2 == 0) == pytest.approx(0.4)
