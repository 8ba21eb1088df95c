import numpy as np
import pytest

from detectors import Detector, LogBatch
from detectors.logs import LogBook, Miner, Severity, severity_of

TICK = 15_000


def book_of(rows):
    """A batch from (ts_ms, service, severity, body)."""
    return LogBatch(
        ts_ms=[row[0] for row in rows],
        service=[row[1] for row in rows],
        instance=[None] * len(rows),
        severity=[row[2] for row in rows],
        body=[row[3] for row in rows],
    )


def chatter(rng, minutes, services=("shop", "cart"), start_ms=0):
    """Ordinary lines: requests served and now and then an error, with varying ids."""
    rows = []
    for tick in range(minutes * 4):
        for service in services:
            for _ in range(rng.poisson(20)):
                ts = start_ms + tick * TICK + int(rng.integers(1, TICK))
                rows.append(
                    (ts, service, "INFO", f"served order {rng.integers(1e6)} in {rng.integers(90)} ms")
                )
            for _ in range(rng.poisson(0.2)):
                rows.append(
                    (start_ms + tick * TICK + 5, service, "ERROR", f"retry {rng.integers(9)} of payment")
                )
    return rows


def say(rows, until_ms):
    detector = Detector("shop")
    detector.observe_logs(book_of(rows))
    return [a for tick in detector.advance(until_ms) for a in tick.anomalies]


def test_ordinary_lines_say_nothing():
    rows = chatter(np.random.default_rng(1), 90)
    assert [a for a in say(rows, 95 * 60_000) if a.score > 3] == []


def test_a_burst_of_a_new_error_is_found_with_its_line():
    rng = np.random.default_rng(2)
    rows = chatter(rng, 90)
    begin = 80 * 60_000
    fault = "java.lang.IllegalStateException: connection pool exhausted, waited 30000 ms"
    rows += [(begin + int(t), "cart", "ERROR", fault) for t in rng.integers(1, 300_000, 200)]
    strong = [a for a in say(rows, 95 * 60_000) if a.score > 3]
    assert {a.service for a in strong} == {"cart"}
    assert {"log.error_lines", "log.error_share", "log.new_templates"} <= {a.signal.metric for a in strong}
    assert fault in {a.exemplar for a in strong}
    assert {a.signal.source for a in strong} == {"log"}
    assert min(a.first_ms for a in strong) - begin <= 60_000


def counted(book, tick, *lines):
    """Counts of one tick of "shop", by metric; `lines` are of (severity, body)."""
    mine = [(tick * TICK, "shop", body, severity, "") for severity, body in lines]
    return {each.series.metric: each.value for each in book.count(mine, tick * TICK)}


def test_a_tick_is_counted_by_severity_and_the_share_of_errors():
    lines = [("INFO", "served")] * 5 + [("WARN", "slow")] * 2 + [("", "ERROR lost")] * 1
    found = counted(LogBook(), 1, *lines)
    assert found == {
        "log.lines": 8.0,
        "log.warning_lines": 2.0,
        "log.error_lines": 1.0,
        "log.error_share": pytest.approx(12.5),
    }


def test_only_what_is_grave_and_comes_once_its_service_is_known_is_new_and_only_for_ten_minutes():
    book = LogBook()
    early = counted(book, 1, ("INFO", "served"), ("ERROR", "from the first day"))
    assert "log.new_templates" not in early, "all is new in the beginning"
    for tick in range(2, 62):
        counted(book, tick, ("INFO", "served"))
    news = [("ERROR", "disk is full")] * 3 + [("INFO", "cache is warm"), ("ERROR", "from the first day")]
    assert counted(book, 62, *news)["log.new_templates"] == 3
    assert counted(book, 62 + 39, *news)["log.new_templates"] == 3
    assert counted(book, 62 + 40, *news)["log.new_templates"] == 0


def test_a_template_that_falls_silent_while_others_speak_is_news():
    rows = chatter(np.random.default_rng(3), 90)
    gone = [row for row in rows if row[1] == "shop" or row[0] < 80 * 60_000]
    down = [a for a in say(gone, 90 * 60_000) if a.score > 3]
    assert {a.direction for a in down} == {"down"}
    assert {a.service for a in down} == {"cart"}


def test_lines_that_come_only_now_and_then_do_not_give_away_their_coming():
    rng = np.random.default_rng(4)
    rows = []
    for k in range(20):
        rows += chatter(rng, 3, start_ms=k * 1_200_000)
    assert [a for a in say(rows, 20 * 1_200_000) if a.score > 2.5] == []


def test_a_restart_loses_no_template_and_no_line():
    rng = np.random.default_rng(5)
    rows = sorted(chatter(rng, 60))
    rows += [(40 * 60_000 + k, "cart", "FATAL", f"disk full on /dev/sd{k % 3}") for k in range(500)]
    whole = Detector("shop")
    whole.observe_logs(book_of(rows))
    expected = whole.advance(3_600_000)
    first = Detector("shop")
    first.observe_logs(book_of(rows))
    head = first.advance(41 * 60_000)
    second = Detector.load(first.dump())
    assert head + second.advance(3_600_000) == expected
    assert second.dump() == whole.dump()
    assert any(a.service == "cart" for tick in expected for a in tick.anomalies)


@pytest.mark.parametrize(
    ("lines", "template"),
    [
        (["user 17 logged in", "user 93 logged in"], "user <*> logged in"),
        (["GET /cart/7?x=1 200 12ms", "GET /cart/991 404 3ms"], "GET <*>"),
        (["lost 10.0.0.7:5123", "lost 10.4.0.9:80"], "lost <*>"),
        (["order=7 total=3.5 ok", "order=9 total=4 ok"], "order=<*> total=<*> ok"),
        (["id e24bb484-516a-4aad-b37f-517e7139e913 gone", "id 0xfe gone"], "id <*> gone"),
        (["got Trip(id=1, to=[a, b]) now", "got Trip(id=2, to=[c]) now"], "got Trip<*> now"),
    ],
)
def test_what_varies_is_masked(lines, template):
    miner = Miner()
    assert len({miner.learn(line) for line in lines}) == 1
    assert miner.text(0) == template


def test_words_that_differ_once_in_long_lines_are_generalised():
    miner = Miner()
    a = miner.learn("worker alpha finished the nightly import of customer records without any complaint")
    b = miner.learn("worker beta finished the nightly import of customer records without any complaint")
    assert a == b
    assert miner.text(a).startswith("worker <*> finished")


def test_the_miner_is_bounded():
    miner = Miner(max_templates=10)
    rng = np.random.default_rng(6)
    letters = np.array(list("abcdefghij"))
    numbers = [miner.learn(" ".join("".join(rng.choice(letters, 6)) for _ in range(7))) for _ in range(500)]
    assert len(miner.templates) == 10
    assert -1 in numbers
    assert miner.text(-1) == "(other lines)"


def test_a_reloaded_miner_answers_like_one_that_never_stopped():
    rng = np.random.default_rng(7)
    words = ["open", "close", "user", "file", "disk", "net", "slow", "fast", "retry", "order", "node"]
    lines = [" ".join(rng.choice(words, rng.integers(3, 9))) for _ in range(3000)]
    whole = Miner()
    expected = [whole.learn(line) for line in lines]
    first = Miner()
    head = [first.learn(line) for line in lines[:1500]]
    second = Miner.load(first.dump())
    assert head + [second.learn(line) for line in lines[1500:]] == expected


@pytest.mark.parametrize("batch", [1, 7, 3000])
def test_lines_learned_together_get_the_numbers_they_get_one_by_one(batch):
    rng = np.random.default_rng(8)
    words = ["open", "id=7", "10.0.0.7", "[a, b]", "/var/log/x", "slow", '"x y"', "retry", "0x1f", "node-7"]
    lines = [" ".join(rng.choice(words, rng.integers(3, 9))) for _ in range(3000)]
    single, together = Miner(), Miner()
    numbers = []
    for at in range(0, len(lines), batch):
        numbers += together.learn_each(lines[at : at + batch])
    assert numbers == [single.learn(line) for line in lines]
    assert together.dump() == single.dump()


@pytest.mark.parametrize(
    "body", ["", "   ", "\x00\x01", "é" * 5000, "{" * 3000, "=" * 3000, "a" * 100_000, "[,]" * 999]
)
def test_no_line_is_too_odd(body):
    assert Miner().learn(body) == 0
    assert LogBook().count([], 0) == []


@pytest.mark.parametrize(
    ("declared", "body", "severity"),
    [
        ("ERROR", "", Severity.ERROR),
        ("warn", "", Severity.WARNING),
        ("ERROR2", "", Severity.ERROR),
        (None, "2024-01-01 WARN slow", Severity.WARNING),
        (None, "Traceback (most recent call last):", Severity.ERROR),
        (None, "0 errors found", Severity.ORDINARY),
        ("17", "all good", Severity.ORDINARY),
        (None, "REINFORCED by WARNING, then an ERROR", Severity.WARNING),
        (None, "INFORMED of an Exception", Severity.ERROR),
        (None, "org.acme.FooErrors are counted", Severity.ORDINARY),
    ],
)
def test_severity_is_the_producers_word_or_read_from_the_line(declared, body, severity):
    assert severity_of(declared, body) is severity
