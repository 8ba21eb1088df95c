"""Who is named for an incident, and what of: of several that deviate, changes and jobs, one at most."""

from correlator import Engine, EngineConfig
from correlator.evidence import ChangeKind, Verdict
from detectors.anomaly import Anomaly, Family
from tests.hand_made import MINUTE, T0, cascade, change, edge, lasting, progress, run


def test_a_summary_leads_with_what_can_be_a_cause_though_an_effect_is_louder():
    def louder(item):
        effect = isinstance(item, Anomaly) and item.service == "db" and item.signal.family is Family.LATENCY
        return (
            item.model_copy(update={"score": 14.0, "peak_score": 14.0, "observed": 9.0}) if effect else item
        )

    _, out = run(map(louder, cascade()), T0 + 40 * MINUTE)
    first = out[-1].hypotheses[0]
    assert first.service == "db"
    assert first.summary.startswith("CPU up: cpu_x 2 s against 1 s since ")


def test_a_deploy_of_what_merely_waits_is_exonerated_with_the_reason():
    deploy = change("web", T0 + 9 * MINUTE, summary="new banner")
    settled = run([*cascade(), deploy], T0 + 40 * MINUTE)[1][-1]
    assert settled.hypotheses[0].service == "db"
    assert settled.hypotheses[0].change_id is None
    (reason,) = [e.reason for e in settled.exonerated if e.change_id == "c1"]
    assert "web waits for db" in reason


def test_a_change_of_the_root_just_before_is_named_and_one_after_is_not():
    before = change("db", T0 + 8 * MINUTE, ChangeKind.CONFIG, "before")
    after = change("db", T0 + 13 * MINUTE, ChangeKind.CONFIG, "after")
    settled = run([*cascade(), before, after], T0 + 40 * MINUTE)[1][-1]
    assert settled.hypotheses[0].change_id == "before"
    assert any("after it began" in e.reason for e in settled.exonerated if e.change_id == "after")


def test_a_dependency_without_telemetry_is_found_through_its_callers():
    evidence = [edge("web", "cart"), edge("web", "auth")]
    for caller in ("cart", "auth"):
        evidence.append(edge(caller, "redis"))
        evidence += lasting(caller, Family.ERROR, 10, peer="redis", score=9)
        evidence += lasting(caller, Family.ERROR, 10, score=8, observed=40.0)
    settled = run(evidence, T0 + 40 * MINUTE)[1][-1]
    assert settled.hypotheses[0].service == "redis"
    assert any("redis" in line for line in settled.not_checked)
    assert any(e.endswith("→ redis") for e in settled.discovered)


def test_a_job_that_has_grown_is_the_cause_and_the_deploy_of_the_loudest_is_not():
    day = 24 * 60 * MINUTE
    night = T0 + 20 * day
    jobs = [
        change(
            "db",
            night - n * day,
            ChangeKind.JOB,
            f"j{n}",
            end_ms=night - n * day + (40 - 2 * n) * MINUTE,
            attributes={"job": "settle"},
        )
        for n in range(1, 13)
    ]
    jobs.append(change("db", night, ChangeKind.JOB, "tonight", attributes={"job": "settle"}))
    engine, out = Engine("shop"), []
    deploy = change("web", night - 3 * MINUTE, name="innocent")
    shift = night - T0 - 8 * MINUTE
    moved = [
        i.model_copy(
            update={k: getattr(i, k) + shift for k in ("ts_ms", "first_ms", "onset_ms")}
            if i.type == "anomaly"
            else {"last_seen_ms": night - 60 * MINUTE}
        )
        for i in cascade()
    ]
    for item in [*jobs, deploy, *moved]:
        engine.apply(item)
    for minute in range(40):
        out += engine.apply(progress(night + minute * MINUTE))
    first = out[-1].hypotheses[0]
    assert (first.service, first.kind, first.change_id) == ("db", "job", "tonight")
    assert "grown to" in next(f.why for f in first.factors if f.name == "job_recurrence")
    assert "innocent" in {e.change_id for e in out[-1].exonerated}


def test_a_factor_that_is_left_out_is_not_in_the_output():
    engine = Engine("shop", EngineConfig(without=frozenset({"coverage"})))
    for item in cascade():
        engine.apply(item)
    out = engine.apply(progress(T0 + 40 * MINUTE))
    names = {f.name for h in out[-1].hypotheses for f in h.factors}
    assert "own_severity" in names
    assert "coverage" not in names


def test_ranking_at_a_told_time_needs_no_open_incident():
    engine, _ = run([edge("web", "db"), *lasting("db", Family.LATENCY, 10, score=2.5)], T0 + 14 * MINUTE)
    told = engine.rank_at(T0 + 9 * MINUTE)
    assert told.hypotheses[0].service == "db"


def test_a_verdict_counts_for_the_service_that_was_named():
    engine, out = run(cascade(), T0 + 40 * MINUTE)
    verdict = Verdict(
        id="v1", domain="shop", ts_ms=T0 + 41 * MINUTE, incident_id=out[-1].id, root_service="db", right=True
    )
    engine.apply(verdict)
    engine.apply(progress(T0 + 42 * MINUTE))
    assert engine.memory.past.named_right == {"db": 1}
    assert engine.memory.calibration.labels == 1
