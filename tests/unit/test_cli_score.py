import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.cli.app import main as command_line

MINUTE = 60_000


def main(arguments):
    with pytest.raises(SystemExit) as ended:
        command_line(arguments)
    assert ended.value.code in (0, None)


@pytest.fixture
def series_file(tmp_path):
    """Two series of three days, shuffled rows, one with a labelled burst and a missing sample."""
    rng = np.random.default_rng(1)
    n = 3 * 288
    ts = (np.arange(n) + 1) * 5 * MINUTE
    calm = 10 + rng.standard_normal(n)
    burst = 50 + rng.standard_normal(n)
    burst[700:712] += 60
    burst[100] = np.nan
    label = np.zeros(2 * n, np.int8)
    label[n + 700 : n + 712] = 1
    order = rng.permutation(2 * n)
    table = pa.table(
        {
            "series": np.repeat(["calm", "burst"], n)[order],
            "ts_ms": np.concatenate([ts, ts])[order],
            "value": np.concatenate([calm, burst])[order],
            "label": label[order],
        }
    )
    path = tmp_path / "series.parquet"
    pq.write_table(table, path)
    return path


def test_scores_stand_in_the_order_of_the_input(series_file, tmp_path, capsys):
    out = tmp_path / "scores.parquet"
    main(["score", str(series_file), "--out", str(out), "--json"])
    found = json.loads(capsys.readouterr().out)
    given, scores = pq.read_table(series_file), pq.read_table(out)
    assert scores.column_names == ["series", "ts_ms", "score", "alert", "onset_ms"]
    assert scores["series"].to_pylist() == given["series"].to_pylist()
    assert scores["ts_ms"].to_pylist() == given["ts_ms"].to_pylist()
    assert found["total"]["labelled_alerted"] == 1
    assert found["total"]["missing"] == 1
    alerts = [row for row in scores.to_pylist() if row["alert"]]
    first = min((row for row in alerts if row["series"] == "burst"), key=lambda row: row["ts_ms"])
    assert abs(first["onset_ms"] - 701 * 5 * MINUTE) <= 5 * MINUTE
    assert all((row["onset_ms"] is None) == (row["alert"] == 0) for row in scores.to_pylist())


def test_what_comes_later_changes_no_score(series_file, tmp_path):
    whole, head = tmp_path / "whole.parquet", tmp_path / "head.parquet"
    main(["score", str(series_file), "--out", str(whole)])
    table = pq.read_table(series_file)
    cut = table.filter(pa.array(np.asarray(table["ts_ms"]) <= 705 * 5 * MINUTE))
    pq.write_table(cut, tmp_path / "cut.parquet")
    main(["score", str(tmp_path / "cut.parquet"), "--out", str(head)])
    scores = {(r["series"], r["ts_ms"]): r["score"] for r in pq.read_table(whole).to_pylist()}
    assert all(scores[r["series"], r["ts_ms"]] == r["score"] for r in pq.read_table(head).to_pylist())


def test_labels_are_never_looked_at(series_file, tmp_path):
    table = pq.read_table(series_file)
    pq.write_table(table.drop(["label"]), tmp_path / "bare.parquet")
    main(["score", str(series_file), "--out", str(tmp_path / "a.parquet")])
    main(["score", str(tmp_path / "bare.parquet"), "--out", str(tmp_path / "b.parquet")])
    assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "b.parquet"))


def test_another_detector_scores_but_does_not_alert(series_file, capsys):
    main(["score", str(series_file), "--detector", "river-sad", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["total"]["alerts"] == 0
    assert {row["series"]: row["highest"] for row in found["series"]}["burst"] > 5


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"series": ["a"], "ts_ms": [1]}, "lacks the column value"),
        ({"series": ["a"], "ts_ms": [1], "value": ["x"]}, "cannot be used"),
        ({"series": ["a"], "ts_ms": pa.array([None], pa.int64()), "value": [1.0]}, "must not be null"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(columns, message, tmp_path, capsys):
    path = tmp_path / "wrong.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(SystemExit) as exit_code:
        command_line(["score", str(path)])
    assert exit_code.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["gone.parquet"], ["--budget", "0", "x"], ["--detector", "oracle", "x"]]
)
def test_a_mistake_is_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as exit_code:
        command_line(["score", *arguments])
    assert exit_code.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_noticed_before_the_work(series_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("streams.evaluation.series.run_suite", lambda *_: pytest.fail("worked in vain"))
    with pytest.raises(SystemExit) as ended:
        command_line(["score", str(series_file), "--out", str(tmp_path / "no" / "scores.parquet")])
    assert ended.value.code == 2
    assert "create it first" in capsys.readouterr().err


def test_times_may_be_of_any_unit_and_duplicates_shorten_no_week(tmp_path, capsys):
    n = 2016
    ts = (np.arange(n) + 1) * 5 * MINUTE
    value = np.random.default_rng(3).standard_normal(n)
    found = []
    for name, times in (
        ("ms", pa.array(ts)),
        ("ns", pa.array(ts * 1_000_000).cast(pa.timestamp("ns"))),
        ("twice", pa.array(np.repeat(ts, 2))),
    ):
        path = tmp_path / f"{name}.parquet"
        values = np.resize(np.repeat(value, len(times) // n), len(times))
        pq.write_table(pa.table({"series": ["a"] * len(times), "ts_ms": times, "value": values}), path)
        main(["score", str(path), "--json"])
        total = json.loads(capsys.readouterr().out)["total"]
        found.append((total["series_weeks"], total["alerts"]))
    assert found == [(1.0, found[0][1])] * 3


def test_a_long_input_says_on_a_terminal_how_far_it_is(series_file, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("streams.cli.score.SECONDS", 0.0)
    main(["score", str(series_file), "--json"])
    told = capsys.readouterr()
    assert "1,728 of 1,728 points" in told.err
    assert json.loads(told.out)["total"]["points"] == 1728


def test_an_empty_file_is_no_mistake(tmp_path, capsys):
    path = tmp_path / "empty.parquet"
    pq.write_table(
        pa.table(
            {
                "series": pa.array([], pa.string()),
                "ts_ms": pa.array([], pa.int64()),
                "value": pa.array([], pa.float64()),
            }
        ),
        path,
    )
    main(["score", str(path), "--json"])
    assert json.loads(capsys.readouterr().out)["total"]["points"] == 0


def test_detectors_are_listed_with_their_parameters(capsys):
    main(["detectors", "--json"])
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert listed["suite"]["source"] == "headwater"
    assert listed["river-half-space-trees"]["parameters"]["n_trees"] == 10


class Touchy:
    """A user's detector that cannot stand values above 100."""

    def score_one(self, x):
        return float("nan") if x["value"] < 9 else x["value"]

    def learn_one(self, x):
        if x["value"] > 100:
            raise RuntimeError("too much")

    def dump(self):
        return b""

    def restore(self, state):
        pass


def test_a_detector_that_raises_is_silenced_for_that_series_and_counted(
    series_file, tmp_path, capsys, monkeypatch
):
    import detectors.online
    from detectors.online.registry import Listed

    listed = {"touchy": Listed("touchy", "mine", "values", {}, Touchy)}
    monkeypatch.setattr(detectors.online, "available", lambda: listed)
    out = tmp_path / "scores.parquet"
    main(["score", str(series_file), "--detector", "touchy", "--out", str(out), "--json"])
    told = capsys.readouterr()
    assert json.loads(told.out)["total"]["quarantined"] == 1
    assert "touchy raised on burst" in told.err
    rows = pq.read_table(out).to_pylist()
    assert np.isfinite([row["score"] for row in rows]).all()
    late = [row for row in rows if row["ts_ms"] > 720 * 5 * MINUTE]
    assert max(row["score"] for row in late if row["series"] == "burst") == 0
    assert max(row["score"] for row in late if row["series"] == "calm") > 9
