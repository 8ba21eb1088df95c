"""The packages' law, read from the imports themselves."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STDLIB_WORLD = {
    "socket",
    "subprocess",
    "time",
    "threading",
    "asyncio",
    "http",
    "urllib",
    "os",
    "pathlib",
    "random",
}
PURE = {"numpy", "river", "pydantic", "pydantic_core"}
THIRD_PARTY = {
    "aiohttp",
    "aiokafka",
    "cloudevents",
    "confluent_kafka",
    "faust",
    "numba",
    "numpy",
    "openai",
    "opentelemetry",
    "orjson",
    "prometheus_client",
    "pyarrow",
    "pydantic",
    "rich",
    "river",
    "rocksdict",
    "structlog",
    "typer",
    "yaml",
    "mode",
    "requests",
    "httpx",
}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(package: str) -> list[Path]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"{package} is empty"
    return files


def breaches(package: str, forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports_of(path)
        for bad in forbidden
        if name == bad or name.startswith(bad + ".")
    ]


def test_detectors_know_nothing_of_the_world():
    assert not breaches(
        "detectors", {"streams", "correlator"} | STDLIB_WORLD | (THIRD_PARTY - PURE - {"numba"})
    )


def test_the_correlator_knows_only_the_detectors_types():
    assert not breaches("correlator", {"streams"} | STDLIB_WORLD | (THIRD_PARTY - PURE))
    inner = {
        name for path in modules("correlator") for name in imports_of(path) if name.startswith("detectors.")
    }
    allowed = ("detectors.anomaly", "detectors.Anomaly", "detectors.Family", "detectors.Signal")
    assert not {name for name in inner if not name.startswith(allowed)}


def test_the_wire_knows_no_stage():
    assert not breaches(
        "streams/wire",
        {
            "streams.stages",
            "streams.sinks",
            "streams.simulator",
            "streams.evaluation",
            "streams.cli",
            "streams.broker",
        },
    )


def test_the_simulator_knows_neither_detectors_nor_correlator():
    assert not breaches(
        "streams/simulator", {"detectors", "correlator", "streams.evaluation", "streams.stages"}
    )


@pytest.mark.parametrize(
    "stage",
    [p for p in (ROOT / "streams/stages").iterdir() if p.name != "__init__.py" and p.name != "__pycache__"],
    ids=lambda p: p.stem,
)
def test_stages_do_not_know_each_other(stage):
    own = f"streams.stages.{stage.stem}"
    files = sorted(stage.rglob("*.py")) if stage.is_dir() else [stage]
    others = {
        name
        for path in files
        for name in imports_of(path)
        if name.startswith("streams.stages.") and not name.startswith(own)
    }
    assert not others


def test_only_the_settings_read_the_environment():
    readers = [
        str(path.relative_to(ROOT))
        for path in modules("streams")
        if path != ROOT / "streams/settings.py"
        and ("os.environ" in path.read_text() or "getenv" in path.read_text())
    ]
    assert readers == []
