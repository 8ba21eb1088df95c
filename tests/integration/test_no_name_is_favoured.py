"""All issues of one benchmark share one root: a ranking that knew its name would look perfect on it."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from streams import settings
from streams.evaluation.run import collect_evidence, rank_told
from streams.evaluation.signals import chosen_signals
from streams.recording import Recording

pytestmark = [pytest.mark.recordings, pytest.mark.timeout(300)]


def renamed(folder, new, out):
    """A copy of a recording in which every service bears the name of another one."""
    out.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".parquet":
            text = file.read_text()
            if file.name in ("changes.jsonl", "labels.jsonl", "topology.json"):
                documents = (
                    [json.loads(text)] if file.suffix == ".json" else map(json.loads, text.splitlines())
                )
                text = "\n".join(json.dumps(_renamed(document, new)) for document in documents)
            (out / file.name).write_text(text)
            continue
        table = pq.read_table(file)
        for name in {"service", "caller", "callee"} & set(table.column_names):
            names = pa.array([new[v] for v in table.column(name).to_pylist()])
            table = table.set_column(table.column_names.index(name), name, names)
        pq.write_table(table, out / file.name)
    return Recording.open(out)


def _renamed(found, new):
    if isinstance(found, dict):
        return {key: _renamed(value, new) for key, value in found.items()}
    if isinstance(found, list):
        return [_renamed(value, new) for value in found]
    return new.get(found, found) if isinstance(found, str) else found


@pytest.mark.parametrize("name", ["low-0", "high-2"])
def test_permuted_names_leave_a_told_ranking_as_it_was(name, tmp_path):
    recordings = settings.load().recordings
    if recordings is None or not (recordings / "petshop-train" / name).is_dir():
        pytest.skip(f"HEADWATER_RECORDINGS does not hold petshop-train/{name}: no names were permuted")
    folder = recordings / "petshop-train" / name
    plain = Recording.open(folder)
    services = sorted(pc.unique(plain.metrics().column("service")).to_pylist())
    services += sorted(
        {n["service"] for n in json.loads((folder / "topology.json").read_text())["nodes"]} - {*services}
    )
    new = dict(zip(services, services[7:] + services[:7], strict=True))
    other = renamed(folder, new, tmp_path / "renamed")

    def ranked(recording):
        (label,) = recording.labels()
        evidence = tuple(collect_evidence(recording, chosen_signals(None)))
        (incident,) = rank_told(recording, evidence, [label.start_ms]).values()
        return label.root_service, [(h.service, h.score, h.confidence) for h in incident.hypotheses]

    root, expected = ranked(plain)
    new_root, found = ranked(other)
    assert new_root == new[root] != root
    assert len(expected) > 1
    assert found == [(new[service], score, confidence) for service, score, confidence in expected]
