"""An OpenAI-compatible server on loopback, and the same behaviour without one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from correlator.reasoning import PromptMessage, Reply
from streams.errors import ModelUnavailable

Script = list[str | int]
"""What comes next: an answer's text, or an HTTP status."""


@dataclass
class StubServer:
    """Answers chat completions from a script and keeps what it was asked."""

    script: Script
    refuses: Callable[[Any], bool] = lambda response_format: False
    """Forms of structured output that it does not know: HTTP 500, as llama-cpp-python does."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if self.refuses(body.get("response_format")):
            return web.json_response({"error": {"message": "Input should be 'text'"}}, status=500)
        following = self.script.pop(0)
        if isinstance(following, int):
            return web.json_response({"error": {"message": "no"}}, status=following)
        message = {"role": "assistant", "content": following}
        return web.json_response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "stub-1",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
        )


@asynccontextmanager
async def serving(stub: StubServer) -> AsyncIterator[StubServer]:
    """Serve the stub on a free port."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stub.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stub.base_url = f"http://{host}:{port}/v1"
    try:
        yield stub
    finally:
        await runner.cleanup()


@dataclass
class ScriptedModel:
    """The model port without a server; passes the same contract tests."""

    script: Script
    asked: list[list[PromptMessage]] = field(default_factory=list)

    async def ask(self, messages: list[PromptMessage]) -> Reply:
        self.asked.append(messages)
        following = self.script.pop(0)
        if isinstance(following, int):
            raise ModelUnavailable(f"HTTP {following}")
        return Reply(following, model="stub-1", input_tokens=100, output_tokens=20)


def answer(text: str, *evidence: str) -> str:
    """An answer whose summary cites evidence."""
    return json.dumps({"summary": {"text": text, "evidence": list(evidence)}, "steps": []})
