"""All settings, in one frozen model. Nothing else reads the environment.

Order: command line, then `HEADWATER_…` variables (`__` between levels), then the YAML file of
`--config`, then the defaults below. Every field says its unit and its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)


def _comma_list(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


ROUTED_SUFFIX = ".routed"
"""Of the topics on to which ROUTE writes."""

CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Group):
    """How to reach the brokers."""

    bootstrap_servers: str = Field(
        "localhost:9092", description="host:port, comma-separated; any one living broker is enough."
    )
    group_prefix: str = Field("headwater", description="Prefix of consumer groups, for sharing a cluster.")
    topic_prefix: str = Field(
        "", description="Prefix of every topic name, for several headwaters on one cluster and for tests."
    )
    session_timeout_s: float = Field(
        10.0, gt=0, description="How long a dead worker blocks its partitions; a group join takes half of it."
    )
    replication_factor: int = Field(
        1, ge=1, description="Of topics that `topics create` makes; 3 in production."
    )
    detect_partitions: int = Field(
        1, ge=1, description="Width of DETECT: at most so many processes share raw topics."
    )
    domain_partitions: int = Field(1, ge=1, description="Width of CORRELATE: at most so many processes.")
    client: dict[str, str] = Field(
        default_factory=dict,
        description="Further librdkafka properties (security.protocol, sasl.username, …); shown masked.",
    )

    def topic(self, name: str) -> str:
        """Return the name under which a topic of the table stands on this cluster."""
        return self.topic_prefix + name


class DetectSettings(_Group):
    """The DETECT stage."""

    topics: CommaList = Field(
        (
            "otlp_metrics",
            "otlp_logs",
            "cdevents",
            "alertmanager_events",
            "headwater.metrics",
            "headwater.logs",
            "headwater.deploys",
            "headwater.config-changes",
            "headwater.alerts-in",
            "headwater.topology",
        ),
        description="Raw topics to read; `otlp_spans` is off by default for its volume.",
    )
    decoders: dict[str, str] = Field(
        default_factory=dict, description="Topic to decoder name, for topics outside the table of defaults."
    )
    alert_budget: float = Field(
        0.25,
        gt=0,
        allow_inf_nan=False,
        description="False episodes per series and week that a user is willing to pay for.",
    )
    alert_budget_edges: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="The same for edges; by default `alert_budget`."
    )
    alert_budget_logs: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="The same for counts of log lines."
    )
    lateness_s: float = Field(
        5.0, ge=0, description="How far behind the newest event time a record may come and still be on time."
    )
    idle_s: float = Field(
        10.0,
        gt=0,
        description="Wall-clock silence after which a partition no longer holds back the watermark.",
    )
    max_future_s: float = Field(
        300.0,
        ge=0,
        description="Event times further ahead of our clock are clamped and counted: a wrong clock.",
    )
    snapshot_interval_s: float = Field(
        10.0,
        gt=0,
        description="Between snapshots; bounds replay after a crash. Source retention must exceed it.",
    )
    max_series: int = Field(
        1_000_000, ge=1, description="Series per process; beyond it the idlest are evicted."
    )
    default_domain: str = Field(
        "default", description="Domain of telemetry without deployment.environment.name and k8s.cluster.name."
    )


class RouteSettings(_Group):
    """The ROUTE stage: needed only where records are not keyed by service and DETECT has several units."""

    topics: CommaList = Field(
        (),
        description="Raw topics that are re-keyed by service on to NAME.routed, which DETECT reads instead; "
        "the same in every process. Part of `detect.topics`.",
    )


class ReasonSettings(_Group):
    """The REASON stage. Off, it publishes the deterministic explanation only."""

    enabled: bool = Field(False, description="Whether a model is asked at all.")
    base_url: str = Field("https://api.openai.com/v1", description="Any OpenAI-compatible server.")
    api_key: SecretStr = Field(SecretStr(""), description="Its key; never logged, masked wherever shown.")
    model: str = Field("gpt-5-mini", description="Model name as the server knows it.")
    timeout_s: float = Field(20.0, gt=0, description="Deadline of one request; the alert is out long before.")
    max_calls_per_day: int = Field(
        200, ge=0, description="Hard budget; beyond it explanations stay deterministic."
    )
    max_calls_per_incident: int = Field(
        3, ge=1, description="However many revisions an incident has; each new content is one question."
    )
    max_output_tokens: int = Field(800, ge=1, description="Per answer.")
    usd_per_million_input_tokens: float = Field(0.0, ge=0, description="The model's price, for the record.")
    usd_per_million_output_tokens: float = Field(0.0, ge=0, description="The model's price, for the record.")


class NotifySettings(_Group):
    """The NOTIFY stage. Alerts are on `headwater.alerts` whatever is set here."""

    sinks: CommaList = Field((), description="Receivers beside the topic: `console` prints each card.")


class ServeSettings(_Group):
    """The HTTP endpoint of /healthz, /readyz, /metrics and /version."""

    host: str = Field("127.0.0.1", description="Loopback by default; 0.0.0.0 in a container.")
    port: int = Field(8080, ge=0, le=65535, description="0 picks a free one.")


class LogSettings(_Group):
    """headwater's own log."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe line that is written."
    )
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal.")


class Settings(BaseSettings):
    """The effective configuration of one process."""

    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    kafka: KafkaSettings = KafkaSettings()
    detect: DetectSettings = DetectSettings()
    route: RouteSettings = RouteSettings()
    reason: ReasonSettings = ReasonSettings()
    notify: NotifySettings = NotifySettings()
    serve: ServeSettings = ServeSettings()
    log: LogSettings = LogSettings()
    state_dir: Path = Field(
        Path("state"), description="Local snapshots and tables; losing it costs a recovery, not data."
    )
    recordings: Path | None = Field(None, description="Folder of recordings for tests that need them.")

    def topics_to_route(self) -> tuple[str, ...]:
        """Return the raw topics that ROUTE re-keys.

        Raises
        ------
        ConfigError
            There is none, or one that DETECT does not read.
        """
        from streams.errors import ConfigError

        unread = set(self.route.topics) - set(self.detect.topics)
        if not self.route.topics or unread:
            what = f"{', '.join(sorted(unread))} is not in detect.topics" if unread else "it is empty"
            raise ConfigError(f"setting route.topics (HEADWATER_ROUTE__TOPICS): {what}; name raw topics")
        return self.route.topics

    def read_by_detect(self, name: str) -> str:
        """Return the topic on this cluster that DETECT reads for a raw topic of the table."""
        return self.kafka.topic(name + ROUTED_SUFFIX if name in self.route.topics else name)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the YAML file behind the environment and before the defaults."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def environment_without_settings() -> dict[str, str]:
    """Return this process' variables but `HEADWATER_…`, for a child whose file says all its settings."""
    import os

    return {name: text for name, text in os.environ.items() if not name.startswith("HEADWATER_")}


def load(config_file: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings once, at start.

    Raises
    ------
    ConfigError
        A file that cannot be read, an unknown key or an impossible value; the message names it.
    """
    import os

    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from streams.errors import ConfigError
    from streams.misspelt import misspelt, no_json, suggestion, variable

    if config_file is not None:
        _check_file(config_file)

    if found := misspelt(os.environ, Settings):
        raise ConfigError(found)

    class FromFile(Settings):
        model_config = SettingsConfigDict(yaml_file=config_file)

    try:
        return (FromFile if config_file else Settings)(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"there is no setting {where}{suggestion(where, Settings)}") from None
        raise ConfigError(f"setting {where} ({variable(where)}): {first['msg']}") from None
    except SettingsError as error:
        group = str(error).split('"')[1] if '"' in str(error) else ""
        raise ConfigError(
            f'{no_json(os.environ, group)}: expected a JSON object, such as {{"NAME": "VALUE"}}'
        ) from None


def _check_file(path: Path) -> None:
    """Refuse a file that is no mapping of names; pydantic's own reader fails with whatever it meets."""
    import yaml

    from streams.errors import ConfigError

    if not path.is_file():
        raise ConfigError(f"configuration file {path} does not exist")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"configuration file {path}: {' '.join(str(error).split())}") from None
    if found is not None and not (isinstance(found, dict) and all(isinstance(name, str) for name in found)):
        raise ConfigError(f"configuration file {path}: expected settings by name, such as `kafka:`")
