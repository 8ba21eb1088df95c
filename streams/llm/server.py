"""An OpenAI-compatible server as a model.

Chat Completions, because servers differ in whether they have Responses. Structured output is asked for in the
strictest form that the server turned out to know; whatever comes back is checked by the caller anyway.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

import structlog
from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI

from correlator.reasoning import PromptMessage, Reply, schema
from streams.errors import ModelUnavailable
from streams.llm.redaction import redact
from streams.settings import ReasonSettings

log = structlog.get_logger("headwater.reason")

NO_KEY = "none"
"""The client refuses to start without a key; local servers take any."""


class Rung(IntEnum):
    """Forms of structured output, strictest first."""

    JSON_SCHEMA = 0
    """OpenAI, vLLM, llama-server, Ollama."""
    JSON_OBJECT_WITH_SCHEMA = 1
    """llama-cpp-python, which answers HTTP 500 to the first."""
    JSON_OBJECT = 2
    PLAIN = 3


class ModelServer:
    """Answers prompts by asking the configured server; the model port of the correlator.

    A form of structured output that the server refuses is not tried again in this process.
    """

    def __init__(self, settings: ReasonSettings) -> None:
        self._settings = settings
        self._is_openai = (urlsplit(settings.base_url).hostname or "").endswith("openai.com")
        self._client = AsyncOpenAI(
            base_url=settings.base_url,
            api_key=settings.api_key.get_secret_value() or NO_KEY,
            timeout=settings.timeout_s,
            # The client's own retries would multiply the deadline, and retry the refusals that the ladder
            # learns from.
            max_retries=0,
        )
        self.rung = Rung.JSON_SCHEMA

    async def ask(self, messages: list[PromptMessage]) -> Reply:
        """Return the reply.

        Raises
        ------
        ModelUnavailable
            No answer within `timeout_s`, all rungs included, or a refusal for now.
        """
        clean = [
            PromptMessage(role=message["role"], content=redact(message["content"])) for message in messages
        ]
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._climb_down(clean)
        except TimeoutError:
            raise ModelUnavailable(
                f"no answer from {self._settings.base_url} in {self._settings.timeout_s:.0f} s"
            ) from None

    async def _climb_down(self, messages: list[PromptMessage]) -> Reply:
        for rung in Rung:
            if rung < self.rung:
                continue
            try:
                reply = await self._request(messages, rung)
            except APIConnectionError as error:
                raise ModelUnavailable(f"{self._settings.base_url}: {error}") from None
            except APIStatusError as error:
                if error.status_code in (401, 403, 429) or rung is Rung.PLAIN:
                    raise ModelUnavailable(f"{self._settings.base_url}: {error.message}") from None
                continue
            except APIError as error:
                raise ModelUnavailable(f"{self._settings.base_url}: {error}") from None
            if rung is not self.rung:
                log.info("structured output", form=rung.name.lower(), base_url=self._settings.base_url)
            self.rung = rung
            return reply
        raise AssertionError("the last rung raises")

    async def _request(self, messages: list[PromptMessage], rung: Rung) -> Reply:
        limit = "max_completion_tokens" if self._is_openai else "max_tokens"
        options: dict[str, Any] = {limit: self._settings.max_output_tokens}
        if not self._is_openai:
            # Newer OpenAI models refuse any temperature but their own.
            options["temperature"] = 0.0
        if rung is not Rung.PLAIN:
            options["response_format"] = _response_format(rung)
        if rung is not Rung.JSON_SCHEMA or not self._is_openai:
            # llama.cpp holds the model to the schema and does not show it.
            messages = [*messages, PromptMessage(role="user", content=_spelled_schema())]
        create: Callable[..., Awaitable[Any]] = self._client.chat.completions.create
        completion = await create(model=self._settings.model, messages=messages, **options)
        choice = completion.choices[0] if completion.choices else None
        usage = completion.usage
        return Reply(
            text=_first_object((choice.message.content or "") if choice else ""),
            model=completion.model or self._settings.model,
            input_tokens=usage.prompt_tokens if usage else 0,
            output_tokens=usage.completion_tokens if usage else 0,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _response_format(rung: Rung) -> dict[str, Any]:
    match rung:
        case Rung.JSON_SCHEMA:
            answer = {"name": "answer", "strict": True, "schema": strict(schema())}
            return {"type": "json_schema", "json_schema": answer}
        case Rung.JSON_OBJECT_WITH_SCHEMA:
            return {"type": "json_object", "schema": strict(schema())}
        case _:
            return {"type": "json_object"}


def _spelled_schema() -> str:
    return "Answer with one JSON object of this schema, and nothing else:\n" + json.dumps(schema())


def strict(node: Any) -> Any:
    """Spell a JSON Schema as the strict mode wants it: every property required, none besides, no defaults."""
    if isinstance(node, list):
        return [strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: strict(value) for key, value in node.items() if key not in ("default", "title")}
    if isinstance(found.get("properties"), dict):
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found


def _first_object(text: str) -> str:
    """Cut a reply to its first JSON object; models like to say a word before and after."""
    start = text.find("{")
    if start < 0:
        return text
    try:
        # Not strict: raw line breaks inside strings do come.
        found, _ = json.JSONDecoder(strict=False).raw_decode(text[start:])
    except json.JSONDecodeError:
        return text
    return json.dumps(found)
