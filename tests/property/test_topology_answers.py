"""What the graph answers does not depend on what it was asked before."""

from hypothesis import given
from hypothesis import strategies as st

from correlator.evidence import Edge, EdgeSource
from correlator.topology import Topology

DAY_MS = 86_400_000
NAMES = st.sampled_from("abcd")
TIMES = st.integers(0, 20).map(lambda n: n * DAY_MS // 2)


@st.composite
def statements(draw):
    first, last = sorted((draw(TIMES), draw(TIMES)))
    return Edge(
        domain="d",
        caller=draw(NAMES),
        callee=draw(NAMES),
        source=draw(st.sampled_from(EdgeSource)),
        first_seen_ms=first,
        last_seen_ms=last,
        valid_to_ms=draw(st.none() | TIMES),
        schedule=draw(st.none() | st.sampled_from(["tue 02:00-04:00", "except mon,thu"])),
        callee_kind=draw(st.none() | st.just("redis")),
    )


@given(
    st.lists(statements(), max_size=30),
    st.lists(TIMES, min_size=1, max_size=12),
)
def test_an_answer_kept_from_before_is_the_answer_of_now(told, asked):
    questioned, fresh = Topology(), Topology()

    def ask(topology):
        return [[topology.callees(s, at), topology.callers(s, at)] for at in asked for s in "abcd"]

    for edge in told:
        ask(questioned)
        questioned.apply(edge)
        fresh.apply(edge)
    assert ask(questioned) == ask(fresh)
    assert len(questioned) == sum(1 for _ in fresh.edges())
