"""The model port, both with a real HTTP server and without one, and how it is asked."""

import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from correlator.incident import EvidenceLine, Factor, Hypothesis, Incident
from correlator.reasoning import pack, prompt
from streams.errors import ModelUnavailable
from streams.llm import Budget, Investigator, ModelServer
from streams.llm.redaction import redact
from streams.settings import ReasonSettings
from tests.model_stub import ScriptedModel, StubServer, answer, serving

GOOD = answer("cart ran out of memory", "an-1")
BAD = answer("cart and a stranger-service failed", "an-9")


def incident(title="cart: memory up", revision=1):
    cause = Hypothesis(
        service="cart",
        kind="service",
        confidence=0.7,
        score=5.0,
        onset_ms=1_700_000_000_000,
        summary="memory of cart up",
        factors=(
            Factor(name="severity", value=5, contribution=5, why="memory of cart up", evidence=("an-1",)),
        ),
    )
    return Incident(
        id="hw-1",
        domain="shop",
        revision=revision,
        published_ms=1_700_000_100_000,
        opened_ms=1_700_000_100_000,
        onset_ms=1_700_000_000_000,
        severity="high",
        title=title,
        is_candidate=True,
        hypotheses=(cause,),
        evidence=(EvidenceLine(id="an-1", service="cart", text="memory of cart up", onset_ms=1, score=5),),
    )


@asynccontextmanager
async def scripted(script):
    yield ScriptedModel(list(script))


@asynccontextmanager
async def served(script):
    async with serving(StubServer(list(script))) as stub:
        server = ModelServer(ReasonSettings(base_url=stub.base_url, model="any", timeout_s=5))
        yield server
        await server.close()


@pytest.mark.parametrize("model", [scripted, served])
async def test_a_model_says_what_it_said_and_what_it_cost(model):
    async with model([GOOD]) as asked:
        reply = await asked.ask(prompt(pack(incident())))

    assert "cart ran out of memory" in reply.text
    assert (reply.model, reply.input_tokens, reply.output_tokens) == ("stub-1", 100, 20)


@pytest.mark.parametrize("model", [scripted, served])
async def test_a_model_that_is_overloaded_is_unavailable(model):
    async with model([429]) as asked:
        with pytest.raises(ModelUnavailable):
            await asked.ask(prompt(pack(incident())))


async def test_a_server_that_is_away_is_unavailable_and_named():
    server = ModelServer(ReasonSettings(base_url="http://127.0.0.1:1/v1", timeout_s=5))
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:1"):
        await server.ask([])
    await server.close()


async def test_a_form_of_output_that_is_refused_is_tried_once():
    stub = StubServer([GOOD, GOOD], refuses=lambda form: form is not None and form["type"] == "json_schema")
    async with serving(stub):
        server = ModelServer(ReasonSettings(base_url=stub.base_url, timeout_s=5))
        for _ in range(2):
            await server.ask(prompt(pack(incident())))
        await server.close()

    assert [each["response_format"]["type"] for each in stub.asked] == [
        "json_schema",
        "json_object",
        "json_object",
    ]


async def test_secrets_do_not_leave():
    stub = StubServer([GOOD])
    async with serving(stub):
        server = ModelServer(ReasonSettings(base_url=stub.base_url, timeout_s=5))
        await server.ask(prompt(pack(incident(title="login of ann@example.org: password=hunter2"))))
        await server.close()

    said = str(stub.asked)
    assert "hunter2" not in said
    assert "ann@example.org" not in said


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter2", "user": "bob"}',
        "DB_PASSWORD=hunter2",
        "client_secret: 'hunter2'",
        "aws_secret_access_key = hunter2",
        "GET /x?access_token=hunter2&page=1",
        "redis://:hunter2@cache:6379",
        "Server=db;Pwd=hunter2;Pool=5",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_is_found_however_a_program_writes_it(text):
    assert "hunter2" not in redact(text)


@pytest.mark.parametrize("text", ["secret_" * 20_000, "a" * 140_000, "a." * 70_000, "://" * 50_000])
def test_no_line_of_log_takes_long_to_redact(text):
    began_s = time.process_time()
    redact(text)
    assert time.process_time() - began_s < 2


async def test_words_around_the_answer_are_cut():
    async with served(["Sure! Here it is:\n```json\n" + GOOD + "\n```\nAnything else?"]) as server:
        reply = await server.ask([])
    assert reply.text.startswith("{")
    assert reply.text.endswith("}")


class Investigation:
    """An investigator over a scripted model, with a clock to turn."""

    def __init__(self, tmp_path, script, **settings):
        self.now_s = 0.0
        self.today = datetime(2026, 1, 1, tzinfo=UTC)
        self.model = ScriptedModel(list(script))
        reason = ReasonSettings(**settings)
        self.budget = Budget(tmp_path / "calls.json", reason.max_calls_per_day, lambda: self.today)
        self.investigator = Investigator(self.model, self.budget, reason, lambda: self.now_s)

    async def explain(self, *args, **kwargs):
        return await self.investigator.explain(incident(*args, **kwargs))


async def test_a_checked_answer_becomes_an_explanation_with_its_cost(tmp_path):
    asked = Investigation(tmp_path, [GOOD], usd_per_million_input_tokens=10.0)
    explanation = await asked.explain()

    assert explanation is not None
    assert (explanation.origin, explanation.summary) == ("model", "cart ran out of memory")
    assert explanation.use is not None
    assert (explanation.use.calls, explanation.use.input_tokens, explanation.use.usd) == (1, 100, 0.001)


async def test_an_answer_that_does_not_hold_is_repaired_once(tmp_path):
    asked = Investigation(tmp_path, [BAD, GOOD])
    explanation = await asked.explain()

    assert explanation is not None
    assert "refused" in asked.model.asked[1][-1]["content"]


async def test_an_answer_that_does_not_hold_twice_is_left_out(tmp_path):
    assert await Investigation(tmp_path, [BAD, BAD]).explain() is None


async def test_the_same_content_is_asked_once(tmp_path):
    asked = Investigation(tmp_path, [GOOD])
    first = await asked.explain()
    again = await asked.explain(revision=2)

    assert len(asked.model.asked) == 1
    assert first is not None
    assert again is not None
    assert (again.summary, again.revision) == (first.summary, 2)


async def test_an_incident_is_asked_about_so_often_and_no_more(tmp_path):
    asked = Investigation(tmp_path, [GOOD] * 5, max_calls_per_incident=2)
    said = [await asked.explain(title=f"cart: {n}") for n in range(4)]

    assert [each is not None for each in said] == [True, True, False, False]


async def test_the_days_budget_holds_over_a_restart_and_ends_with_the_day(tmp_path):
    first = Investigation(tmp_path, [GOOD], max_calls_per_day=1)
    assert await first.explain() is not None

    restarted = Investigation(tmp_path, [GOOD], max_calls_per_day=1)
    assert await restarted.explain() is None
    restarted.today = datetime(2026, 1, 2, tzinfo=UTC)
    restarted.now_s = 3600.0
    assert await restarted.explain() is not None


async def test_after_a_failure_nobody_is_asked_for_a_while(tmp_path):
    asked = Investigation(tmp_path, [503, GOOD])
    assert await asked.explain(title="a") is None
    assert await asked.explain(title="b") is None
    assert len(asked.model.asked) == 1
    asked.now_s = 61.0
    assert await asked.explain(title="c") is not None
