"""The error tree. The class decides what happens, the message says what, where and what to do.

HeadwaterError
├── PermanentError          dead-letter the record, go on
│   └── DecodeError         bytes that are not what their topic promises
├── TransientError          retry with back-off
│   ├── BrokerUnavailable
│   └── ModelUnavailable
└── FatalError              stop; a supervisor restarts us
├── UserError           wrong input from a person: one line, exit code 2, no traceback
│   ├── ConfigError
│   └── RecordingError
├── TopicMissing
└── StateError          a snapshot or table that cannot be trusted
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Everything that headwater raises on purpose."""


class PermanentError(HeadwaterError):
    """Will fail again in the same way: dead-letter the record and go on."""


class DecodeError(PermanentError):
    """Bytes that are not what their topic promises.

    Parameters
    ----------
    reason
        What was wrong, in words.
    field
        Path of the offending field, such as `resourceMetrics[0].scopeMetrics`.
    """

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class TransientError(HeadwaterError):
    """May succeed when tried again."""


class BrokerUnavailable(TransientError):
    """No broker answers at the configured address."""


class ModelUnavailable(TransientError):
    """The model's server did not answer, or refused for now."""


class FatalError(HeadwaterError):
    """Cannot go on."""


class UserError(FatalError):
    """A person's mistake: printed in one line, without a traceback; exit code 2."""


class ConfigError(UserError):
    """A setting that cannot be used."""


class RecordingError(UserError):
    """A recording that cannot be read."""


class TopicMissing(FatalError):
    """A topic that must exist does not."""


class StateError(FatalError):
    """A snapshot or table that cannot be trusted."""
