"""How likely the first hypothesis is right: a logistic regression that starts from a fit and learns on.

The prior was fitted on labelled incidents of simulated and recorded systems (`headwater calibrate`, which
prints how it did on systems that it had not seen). Verdicts move it by stochastic gradient steps of river's
`linear_model.LogisticRegression`, on standardised features, so that a domain may differ from the systems of
the prior.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from correlator.confidence_prior import BIAS, CENTRE, SCALE, WEIGHTS
from correlator.grouping import OpenIncident
from correlator.ranking import Scored
from correlator.scene import Scene

NEEDED = 30
"""Labelled incidents below which a confidence is a prior and says so."""
RATE = 0.05
"""Step of one verdict: some sixty verdicts that all contradict the prior turn it over, three do not."""
LEAST, MOST = 0.02, 0.98
TEMPERATURE = 1.5
"""Scores this far apart are e times as likely; shares out what the first hypothesis leaves."""
SURE = 0.8
"""From here on an engineer acts without looking twice."""


def features(ranked: list[Scored], scene: Scene, state: OpenIncident) -> dict[str, float]:
    """What confidence rests on; each is without unit and within about 0 to 6.

    Its lead over the second, its score, the share of all trouble that it explains, how often the first place
    changed hands, how many other incidents were open when this one opened (it may be an echo of theirs),
    which share of the calls around it nobody sees, and how near a change is. The last two are left out where
    no calls and no changes are known at all, which counts as usual: silence of what nobody reads says
    nothing. The fit may drop some of them. Not here are features whose sign differed between recorded and
    simulated systems (harm, reach, kind of evidence), such as added nothing (kinds of telemetry that agree,
    youth, relative margin), and the number of services, which stood for the other incidents while these were
    not counted.
    """
    top, service = ranked[0], ranked[0].candidate.service
    second = ranked[1].score if len(ranked) > 1 else 0.0
    reached = scene.downstream_of(service)
    explained = sum(scene.severity(s) for s in (service, *reached))
    whole = sum(scene.severity(s) for s in scene.ill)
    found = {
        "lead": math.log1p(max(0.0, top.score - max(second, 0.0))),
        "score": math.log1p(max(top.score, 0.0)),
        "explains": explained / whole if whole > 0.0 else 0.0,
        "flips": min(3.0, state.flips + float(state.top not in (None, service))),
        "others": math.log1p(state.others),
    }
    unseen = unseen_calls(scene, (service, *reached))
    if unseen is not None:
        found["unseen"] = unseen
    if scene.changes:
        nearness = next((term.contribution for name, term in top.terms if name == "change_proximity"), 0.0)
        found["change"] = min(1.5, nearness)
    return {name: round(value, 4) for name, value in found.items()}


def unseen_calls(scene: Scene, services: Iterable[str]) -> float | None:
    """Share, 0 to 1, of the calls of these services that are declared or inferred, and never seen.

    Who only waits for something looks like a root where nobody measures the waiting. None where no calls
    are known.
    """
    calls = [call for service in services for call in scene.callees(service)]
    return sum(not call.observed for call in calls) / len(calls) if calls else None


@dataclass(frozen=True, slots=True)
class Prior:
    """A fitted logistic on standardised features: p = 1/(1 + e^−(bias + Σ w·(x − centre)/scale))."""

    bias: float
    weights: Mapping[str, float]
    centre: Mapping[str, float]
    scale: Mapping[str, float]


SHIPPED = Prior(BIAS, WEIGHTS, CENTRE, SCALE)


class Calibration:
    """An online logistic model that starts from a prior."""

    def __init__(self, prior: Prior = SHIPPED) -> None:
        self.prior = prior
        self.labels = 0
        self._model = _model(prior.bias, prior.weights)

    @property
    def calibrated(self) -> bool:
        """Whether enough labelled incidents of this domain stand behind the number."""
        return self.labels >= NEEDED

    def probability(self, x: Mapping[str, float]) -> float:
        """P(the first hypothesis is right), within [.02, .98]."""
        p = self._model.predict_proba_one(self._standard(x))[True]
        return min(MOST, max(LEAST, float(p)))

    def learn(self, x: Mapping[str, float], right: bool) -> None:
        """Take a verdict about an incident whose confidence rested on `x`."""
        self._model.learn_one(self._standard(x), right)
        self.labels += 1

    def _standard(self, x: Mapping[str, float]) -> dict[str, float]:
        centre, scale = self.prior.centre, self.prior.scale
        return {
            name: (x[name] - centre[name]) / scale[name] if name in x else 0.0 for name in self.prior.weights
        }

    def dump(self) -> dict[str, Any]:
        """What was learnt, as JSON."""
        return {"labels": self.labels, "bias": self._model.intercept, "weights": self._model.weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a dump. A feature that the prior has since lost is dropped, a new one begins there.

        A domain that learnt nothing takes the prior of this version.
        """
        self.labels = int(state["labels"])
        if self.labels:
            known = state["weights"]
            weights = {name: float(known.get(name, w)) for name, w in self.prior.weights.items()}
            self._model = _model(float(state["bias"]), weights)


def _model(bias: float, weights: Mapping[str, float]) -> Any:
    """River's logistic regression with given weights; steps are constant, so that a domain may drift."""
    # Brings scipy along: 50 MB and half a second that DETECT, which only needs the messages, does without.
    from river import linear_model, optim

    model = linear_model.LogisticRegression(
        optimizer=optim.SGD(RATE), intercept_init=bias, intercept_lr=RATE, clip_gradient=1.0
    )
    for name, weight in weights.items():  # river offers no other way to begin with unequal weights
        model._weights[name] = weight
    return model


def spread(ranked: list[Scored], first: float) -> list[float]:
    """Confidence of each hypothesis: the first as given, the rest share what is left by their scores."""
    if not ranked:
        return []
    weights = [math.exp((s.score - ranked[0].score) / TEMPERATURE) for s in ranked[1:]]
    total = sum(weights) + 0.5
    return [first, *(min(first, (1.0 - first) * w / total) for w in weights)]
