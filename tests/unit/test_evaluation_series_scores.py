import json

import numpy as np
import pytest
from river import stats

from streams import settings
from streams.evaluation.delay_f1 import delay_f1
from streams.evaluation.nab import PROFILES, label_file, nab_score
from streams.evaluation.series import read_series

MINUTE = 60_000


def corpus():
    """Two files of 1000 points with three windows of 100."""
    ts = np.arange(1000) * MINUTE
    windows = {"a": [(300, 399), (700, 799)], "b": [(500, 599)]}
    files = {
        name: label_file(ts, [(int(ts[a]), int(ts[b])) for a, b in marks]) for name, marks in windows.items()
    }
    return files, windows


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_silence_is_zero_and_a_first_point_in_every_window_is_a_hundred(profile):
    files, windows = corpus()
    silent = {name: np.zeros(1000) for name in files}
    assert nab_score(silent, files, profile, threshold=1.0)[0] == 0
    perfect = {name: np.isin(np.arange(1000), [a for a, _ in windows[name]]).astype(float) for name in files}
    assert nab_score(perfect, files, profile)[0] == pytest.approx(100)


def test_later_detections_earn_less_and_false_alarms_cost():
    files, _ = corpus()
    standard = PROFILES["standard"]

    def at(*points):
        scores = {"a": np.zeros(1000), "b": np.zeros(1000)}
        scores["b"][list(points)] = 1.0
        return nab_score(scores, files, standard, threshold=0.5)[0]

    assert at(500) > at(550) > at(598) > at()
    assert at(500, 990) < at(500)
    assert at(500) - at(500, 990) > at(500) - at(500, 605) > 0
    assert at(500, 20) == at(500), "probation"


def test_a_false_alarm_costs_twice_as_much_for_those_who_hate_them():
    files, _ = corpus()
    scores = {"a": np.zeros(1000), "b": np.zeros(1000)}
    scores["a"][200] = 1.0
    standard = nab_score(scores, files, PROFILES["standard"], threshold=0.5)[0]
    strict = nab_score(scores, files, PROFILES["reward_low_fp"], threshold=0.5)[0]
    assert strict == pytest.approx(2 * standard)


@pytest.mark.recordings
def test_the_nab_scorer_agrees_with_published_figures():
    """A plain z over river's exponential mean and variance, f = .01: 37.5, 24.4 and 46.2."""
    folder = settings.load().recordings
    if folder is None or not (folder / "series/nab.parquet").exists():
        pytest.skip("HEADWATER_RECORDINGS does not name a folder with series/nab.parquet")
    file = read_series(folder / "series/nab.parquet")
    windows = json.loads((folder / "series/nab_windows.json").read_text())
    bounds = np.searchsorted(file.number, np.arange(len(file.names) + 1))
    scores, files = {}, {}
    for k, name in enumerate(file.names):
        part = slice(bounds[k], bounds[k + 1])
        mean, variance, found = stats.EWMean(0.01), stats.EWVar(0.01), []
        for value in file.value[part].tolist():
            spread = variance.get() ** 0.5 if found else 0.0
            found.append(abs(value - mean.get()) / spread if spread > 0 else 0.0)
            mean.update(value)
            variance.update(value)
        scores[name] = np.array(found)
        files[name] = label_file(file.ts_ms[part], windows[name])
    figures = [round(nab_score(scores, files, profile)[0], 1) for profile in PROFILES.values()]
    assert figures == [37.5, 24.4, 46.2]


def test_a_segment_noticed_late_is_missed_whole():
    labels = np.zeros(1000, np.int8)
    labels[500:530] = 1
    early, late = np.zeros(1000), np.zeros(1000)
    early[507] = late[508] = 1.0
    assert delay_f1([(early, labels)])[0] == 1.0
    assert delay_f1([(late, labels)], threshold=0.5)[0] == 0.0


def test_each_false_point_counts_and_warm_up_does_not():
    labels = np.zeros(1000, np.int8)
    labels[500:510] = 1
    scores = np.zeros(1000)
    scores[500] = scores[700] = scores[701] = scores[10] = 1.0
    assert delay_f1([(scores, labels)], threshold=0.5)[0] == pytest.approx(2 * 10 / (10 + 2 + 10))
