"""What NOTIFY remembers of one incident between revisions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from correlator.incident import Incident
from streams.wire.messages import Explanation


class Told(BaseModel):
    """The newest of both sides, and how often the alert was published."""

    model_config = ConfigDict(extra="ignore")

    revision: int = 0
    incident: Incident | None = None
    model: Explanation | None = None
    """The newest explanation that a model gave."""

    def takes(self, incident: Incident) -> bool:
        """Take a revision, unless it or a newer one is known: after a restart old ones come again."""
        known = self.incident
        if known is not None and (incident.revision < known.revision or incident == known):
            return False
        self.incident = incident
        return True

    def takes_explanation(self, explanation: Explanation) -> bool:
        """Take a model's explanation, unless a newer or the same one is known."""
        if explanation.origin != "model" or self.model == explanation:
            return False
        if self.model is not None and explanation.revision < self.model.revision:
            return False
        self.model = explanation
        return True
