import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def detect_logs():
    sys.path.insert(0, str(BENCH))
    try:
        import detect_logs

        yield detect_logs
    finally:
        sys.path.remove(str(BENCH))


def test_grouping_accuracy_counts_only_whole_groups(detect_logs):
    assert detect_logs.grouping_accuracy([5, 5, 7], [0, 0, 1]) == 1.0
    assert detect_logs.grouping_accuracy([5, 5, 5], [0, 0, 1]) == 0.0
    assert detect_logs.grouping_accuracy([5, 6, 7], [0, 0, 1]) == pytest.approx(1 / 3)


def test_the_miner_groups_better_than_the_oracle(detect_logs):
    result = detect_logs.run(300)
    assert result["accuracy_over_best_peer"] >= 0.05
    assert min(result["headwater"]["by_format"].values()) >= 0.85


def test_an_unknown_benchmark_is_a_mistake_of_one_line(capsys):
    from streams.cli.app import main

    with pytest.raises(SystemExit) as ended:
        main(["bench", "everything"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "there is: " in told
    assert "detect" in told
