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
    root_since: int = 0
    """The incident's revision since which its first hypothesis is the same."""

    @property
    def explanation(self) -> Explanation | None:
        """The model's explanation, if it speaks of the cause that is named now."""
        return self.model if self.model is not None and self.model.revision >= self.root_since else None

    def takes(self, incident: Incident) -> bool:
        """Take a revision, unless it or a newer one is known: after a restart old ones come again."""
        known = self.incident
        if known is not None and (incident.revision < known.revision or incident == known):
            return False
        if known is None or _root(known) != _root(incident):
            self.root_since = incident.revision
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


def _root(incident: Incident) -> str | None:
    return incident.hypotheses[0].service if incident.hypotheses and not incident.abstention else None
