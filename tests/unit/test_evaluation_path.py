import json
from itertools import pairwise

import pytest

from streams.evaluation.published import Cause, Published, Revision
from streams.evaluation.score import path_is_right
from streams.recording import Label, Propagation, Recording, tables, write_recording

SPREAD = Propagation("f", frozenset({("db", "cart"), ("cart", "front"), ("db", "pay")}))


def incident(*services, root="db", abstained=None):
    chain = tuple({"from": a, "to": b, "onset_ms": 0} for a, b in pairwise(services))
    revision = Revision(0, 0.9, abstained, (Cause(root, "root", None, "service", 0.9),))
    return Published("r", "i", 0, 0, None, "high", True, chain, (revision,))


@pytest.mark.parametrize(
    ("said", "symptom", "right"),
    [
        (incident("db", "cart", "front"), "front", True),
        (incident("db", "cart", "front"), "cart", True),
        (incident("db", "cart", "front"), None, True),
        (incident("db", "cart"), "front", False),
        (incident("db", "front"), "front", False),
        (incident("cart", "front"), "front", False),
        (incident("db", "pay", "front"), "front", False),
        (incident("db"), "front", False),
        (incident("db"), "db", True),
        (incident("db", "cart", "front", root="cart"), "front", False),
        (incident("db", "cart", "front", abstained="novel_pattern"), "front", False),
    ],
)
def test_a_path_is_right_when_every_hop_happened_from_root_to_symptom(said, symptom, right):
    assert path_is_right(said, Label("f", 0, None, "db", symptom_service=symptom), SPREAD) is right


def test_how_faults_spread_is_read_where_the_maker_tells(tmp_path):
    folder = write_recording(
        tmp_path / "r",
        name="r",
        system="shop",
        start_ms=0,
        end_ms=1,
        interval_s=1,
        metrics=tables.schema_of(tables.METRICS).empty_table(),
    )
    assert Recording.open(folder).propagations() == {}
    path = [{"service": "db", "from": None, "first_ms": 1}, {"service": "cart", "from": "db", "first_ms": 2}]
    (folder / "truth.jsonl").write_text(json.dumps({"fault_id": "f", "path": path, "signs": {}}) + "\n")
    assert Recording.open(folder).propagations() == {"f": Propagation("f", frozenset({("db", "cart")}))}
