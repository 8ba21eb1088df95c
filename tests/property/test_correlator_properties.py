"""What must hold for any evidence: batches, restarts, names and order of arrival do not matter."""

from hypothesis import given, settings
from hypothesis import strategies as st

from correlator import Engine
from correlator.evidence import Edge, EdgeSource, Progress
from correlator.incident import incident_id
from correlator.topology import Topology
from detectors.anomaly import Anomaly, Family, Signal, anomaly_id

T0 = 1_700_000_010_000 // 15_000 * 15_000
MINUTE = 60_000
NAMES = ("web", "cart", "auth", "db")
EDGES = (("web", "cart"), ("web", "auth"), ("cart", "db"), ("auth", "db"))


def anomaly(service, family, minute, length, score, rename):
    signal = Signal(source="metric", metric=f"m.{family}", family=family)
    first = T0 + minute * MINUTE
    service = rename(service)
    for k in range(length):
        yield Anomaly(
            id=anomaly_id("d", service, signal, first),
            domain="d",
            service=service,
            signal=signal,
            first_ms=first,
            onset_ms=first - MINUTE // 2,
            ts_ms=first + k * MINUTE,
            interval_ms=MINUTE,
            direction="up",
            score=score,
            peak_score=score,
            observed=5.0,
            expected=1.0,
            scale=0.1,
        )


def items(episodes, rename=lambda name: name):
    out = [
        Edge(
            domain="d",
            caller=rename(caller),
            callee=rename(callee),
            source=EdgeSource.SPAN,
            first_seen_ms=T0,
            last_seen_ms=T0,
        )
        for caller, callee in EDGES
    ]
    for service, family, minute, length, score in episodes:
        out += anomaly(service, family, minute, length, score, rename)
    return out


EPISODE = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from([Family.CPU, Family.LATENCY, Family.ERROR, Family.MEMORY, Family.SATURATION]),
    st.integers(2, 20),
    st.integers(1, 4),
    st.floats(1.5, 11).map(lambda x: round(x, 2)),
)
EPISODES = st.lists(EPISODE, max_size=12, unique_by=lambda e: (e[0], e[1], e[2]))
UNTIL = T0 + 45 * MINUTE


def run(evidence, stops):
    engine, out = Engine("d"), []
    for item in evidence:
        engine.apply(item)
    for stop in stops:
        out += engine.apply(Progress(domain="d", source="p", watermark_ms=stop))
    return engine, out


def every(step_ms):
    return [*range(T0, UNTIL, step_ms), UNTIL]


@settings(max_examples=40, deadline=None)
@given(EPISODES, st.integers(1, 40))
def test_incidents_do_not_depend_on_how_progress_is_cut(episodes, ticks):
    evidence = items(episodes)
    assert run(evidence, every(15_000))[1] == run(evidence, every(ticks * 15_000))[1]


@settings(max_examples=40, deadline=None)
@given(EPISODES, st.randoms(use_true_random=False))
def test_incidents_do_not_depend_on_the_order_of_arrival_before_the_watermark(episodes, random):
    evidence = items(episodes)
    shuffled = list(evidence)
    random.shuffle(shuffled)
    assert run(evidence, every(MINUTE))[1] == run(shuffled, every(MINUTE))[1]


@settings(max_examples=25, deadline=None)
@given(EPISODES, st.integers(1, 44))
def test_a_restart_at_any_minute_changes_nothing(episodes, minute):
    evidence, stops = items(episodes), every(MINUTE)
    expected = run(evidence, stops)[1]
    engine, got = run(evidence, stops[:minute])
    engine = Engine.load(engine.dump())
    for stop in stops[minute:]:
        got += engine.apply(Progress(domain="d", source="p", watermark_ms=stop))
    assert got == expected


@settings(max_examples=40, deadline=None)
@given(EPISODES, st.permutations(["k", "x", "b", "q"]))
def test_no_name_is_favoured(episodes, names):
    to = dict(zip(NAMES, names, strict=True))
    plain = run(items(episodes), every(MINUTE))[1]
    renamed = run(items(episodes, to.__getitem__), every(MINUTE))[1]

    def scores(incidents, name):
        return sorted(
            (i.published_ms, sorted((name(h.service), h.score) for h in i.hypotheses)) for i in incidents
        )

    assert scores(plain, to.__getitem__) == scores(renamed, str)


@settings(max_examples=40, deadline=None)
@given(EPISODES)
def test_revisions_count_up_keep_their_id_and_end_settled(episodes):
    by_id = {}
    for incident in run(items(episodes), every(MINUTE))[1]:
        by_id.setdefault(incident.id, []).append(incident)
    for revisions in by_id.values():
        assert [r.revision for r in revisions] == list(range(1, len(revisions) + 1))
        assert len({r.opened_ms for r in revisions}) == 1
        assert revisions[-1].settled
        assert revisions[-1].status == "closed"
        assert all(0 <= h.confidence <= 1 for r in revisions for h in r.hypotheses)


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_an_incident_id_depends_on_domain_and_anomaly_alone(domain, first, other):
    assert incident_id(domain, first) == incident_id(domain, first)
    assert (incident_id(domain, first) == incident_id(domain, other)) == (first == other)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from("def"),
            st.sampled_from(list(EdgeSource)),
            st.integers(0, 10**6),
        ),
        max_size=20,
    ),
    st.integers(0, 10**7),
)
def test_belief_is_a_probability_and_both_directions_agree(seen, at):
    topology = Topology()
    for caller, callee, source, when in seen:
        topology.apply(
            Edge(
                domain="d",
                caller=caller,
                callee=callee,
                source=source,
                first_seen_ms=when,
                last_seen_ms=when,
            )
        )
    down = {(c, n.service): n.belief for c in "abc" for n in topology.callees(c, at)}
    up = {(n.service, c): n.belief for c in "def" for n in topology.callers(c, at)}
    assert down == up
    assert all(0 < b <= 1 for b in down.values())
