"""Template mining: lines that differ only in what varies get one number.

Drain (He et al., ICWS 2017) with one level fewer: masked words first, then buckets by length and first
word, then the most similar template. Exact repeats never reach the search. Constant memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from detectors.logs.mask import ANY, tokens
from detectors.logs.shape import UNKNOWN, shapes_of

SIMILARITY = 0.75
"""Share of equal plain words that makes two lines one template; masked words are equal too easily."""
MAX_TEMPLATES = 4096
"""Templates kept; beyond it lines fall into the nearest existing one, or into `OVERFLOW`."""
MAX_LINES = 20_000
"""Remembered shapes and masked lines, each; a speed matter only."""
OVERFLOW = -1


@dataclass(slots=True)
class _Bucket:
    """Templates of one length and first word; `version` rises when a template in it changes."""

    members: list[int] = field(default_factory=list)
    version: int = 0


_Found = tuple[_Bucket, int, int, tuple[str, ...]]
"""The bucket, its version then, the template's number, and the words that it was found for."""


class Miner:
    """Learns templates from lines, one at a time; the same lines in the same order give the same numbers.

    What is remembered for speed never changes an answer: an entry is valid only while its bucket is as it
    was, so that a restart without the memory answers alike.
    """

    def __init__(self, max_templates: int = MAX_TEMPLATES) -> None:
        self.max_templates = max_templates
        self.templates: list[tuple[str, ...]] = []
        self._buckets: dict[tuple[int, str], _Bucket] = {}
        self._shapes: dict[int, _Found] = {}
        self._masked: dict[tuple[str, ...], _Found] = {}

    def learn(self, line: str) -> int:
        """Return the number of the line's template, making one if there is none."""
        return next(self.learn_each((line,)))

    def learn_each(self, lines: Sequence[str]) -> Iterator[int]:
        """Learn lines one by one as their numbers are taken; many at once cost a tenth of one at a time."""
        shapes = self._shapes
        for line, shape in zip(lines, shapes_of(lines), strict=True):
            found = shapes.get(shape)
            if found is None or found[0].version != found[1]:
                # Lines of one shape have the same words: if the bucket has changed, these are looked up.
                found = self._find(tokens(line) if found is None else found[3])
                if shape != UNKNOWN:
                    if len(shapes) >= MAX_LINES:
                        shapes.clear()
                    shapes[shape] = found
            yield found[2]

    def _find(self, words: tuple[str, ...]) -> _Found:
        found = self._masked.get(words)
        if found is None or found[0].version != found[1]:
            found = self._search(words)
            if len(self._masked) >= MAX_LINES:
                self._masked.clear()
            self._masked[words] = found
        return found

    def text(self, number: int) -> str:
        """Return a template as a line with `<*>` where it varies."""
        return " ".join(self.templates[number]) if number >= 0 else "(other lines)"

    def _search(self, words: tuple[str, ...]) -> _Found:
        first = words[0] if words and ANY not in words[0] else ""
        bucket = self._buckets.setdefault((len(words), first), _Bucket())
        best, best_same, best_fit = OVERFLOW, -1.0, -1
        for number in bucket.members:
            template = self.templates[number]
            same = fit = 0
            for mine, its in zip(words, template, strict=True):
                if mine == its:
                    same += 1
                    fit += ANY not in its
                elif its == ANY:
                    same += 1
            if (same, fit) > (best_same, best_fit):
                best, best_same, best_fit = number, same, fit
        plain = sum(ANY not in word for word in words)
        if best >= 0 and (best_same == len(words) or len(words) - best_same <= (1.0 - SIMILARITY) * plain):
            if best_same < len(words):
                pairs = zip(words, self.templates[best], strict=True)
                self.templates[best] = tuple(mine if mine == its else ANY for mine, its in pairs)
                bucket.version += 1
            return bucket, bucket.version, best, words
        if len(self.templates) >= self.max_templates:
            return bucket, bucket.version, best, words
        number = len(self.templates)
        self.templates.append(words)
        bucket.members.append(number)
        bucket.version += 1
        return bucket, bucket.version, number, words

    def dump(self) -> list[list[str]]:
        """Return the templates; they are all the state there is."""
        return [list(words) for words in self.templates]

    @classmethod
    def load(cls, state: list[list[str]], max_templates: int = MAX_TEMPLATES) -> Miner:
        """Rebuild a miner from `dump`."""
        miner = cls(max_templates)
        for number, words in enumerate(state):
            miner.templates.append(tuple(words))
            first = words[0] if words and ANY not in words[0] else ""
            miner._buckets.setdefault((len(words), first), _Bucket()).members.append(number)
        return miner
