"""Check 2: pictures that are in the set more than once, and where: in which splits, of which sources.

Knows samples and their matches, not pixels. Copies under two labels are reported by `labels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from covidct.audit.sample import Sample
from covidct.audit.similarity.links import Link, to_links
from covidct.audit.similarity.matches import Likeness, Match, to_clusters
from covidct.audit.verdict import Check, Figure, Finding, Level, Pair, Table, advise
from covidct.stats.means import estimate_share
from covidct.stats.resampling import Bools

# With more copies than this inside one split of one source, figures count some patients twice.
MANY = 0.01
SHOWN = 12
ADVICE = "Keep one of each group of copies, or at least all of a group in one split."


def check_duplicates(samples: Sequence[Sample], matches: Sequence[Match]) -> Check:
    """Copies across splits, across sources and within, and neighbours across splits.

    A slice counts once, however many copies it has. `matches` are as `similar.find_matches` gives them:
    identical slices are matched to the first of them, which stands for all in the matches of other kinds.
    """
    links = to_links(samples, matches)
    copies = [link for link in links if link.likeness is not Likeness.NEIGHBOUR]
    findings = (
        *_across_splits(samples, copies),
        *_across_sources(samples, copies),
        *_within(samples, copies),
        *_neighbours(samples, links),
    )
    return Check(
        name="duplicates",
        title="Duplicates",
        headline=_headline(samples, copies),
        advice=advise(findings, ADVICE),
        findings=findings,
        figures=(_share(samples, matches, copies),),
        tables=(_table(samples, links),),
        pairs=tuple(_pair(samples, link) for link in _worst(links)[:SHOWN]),
    )


def _concerned(samples: Sequence[Sample], links: Sequence[Link]) -> Bools:
    """Which slices the links concern, (n,)."""
    flags = np.zeros(len(samples), bool)
    for link in links:
        flags[list(link.first)] = True
        flags[list(link.second)] = True
    return flags


def _names(samples: Sequence[Sample], flags: Bools) -> tuple[str, ...]:
    return tuple(samples[index].name for index in np.flatnonzero(flags).tolist())


def _example(samples: Sequence[Sample], links: Sequence[Link]) -> str:
    first, second = (samples[index].name for index in _worst(links)[0].example)
    return f"as {first} and {second}"


def _slices(count: int, verb: str) -> str:
    """`1 slice has`, `2 slices have`; `verb` is the singular's."""
    plural = {"has": "have", "looks": "look"}[verb]
    return f"1 slice {verb}" if count == 1 else f"{count} slices {plural}"


def _across_splits(samples: Sequence[Sample], copies: Sequence[Link]) -> Iterator[Finding]:
    across = [link for link in copies if link.crosses_splits]
    if across:
        names = _names(samples, _concerned(samples, across))
        text = f"{_slices(len(names), 'has')} a copy in another split, {_example(samples, across)}."
        yield Finding(Level.FAIL, text, names)
    elif len({sample.row.split for sample in samples} - {""}) > 1:
        yield Finding(Level.PASS, "No slice has a copy in another split.")


def _across_sources(samples: Sequence[Sample], copies: Sequence[Link]) -> Iterator[Finding]:
    if across := [link for link in copies if link.crosses_sources]:
        names = _names(samples, _concerned(samples, across))
        text = (
            f"{_slices(len(names), 'has')} a copy in another source, {_example(samples, across)}: these "
            "sources cannot test each other."
        )
        yield Finding(Level.WARN, text, names)


def _within(samples: Sequence[Sample], copies: Sequence[Link]) -> Iterator[Finding]:
    """Copies inside one source and split: few do no harm."""
    names = _names(samples, _concerned(samples, [link for link in copies if link.stays_within]))
    where = "inside its source and split" if len(names) == 1 else "inside their source and split"
    if not names:
        yield Finding(Level.PASS, "No slice has a copy inside its source and split.")
    elif len(names) > MANY * len(samples):
        text = (
            f"{_slices(len(names), 'has')} a copy {where}: they count twice in training and in every figure."
        )
        yield Finding(Level.WARN, text, names)
    else:
        yield Finding(Level.PASS, f"{_slices(len(names), 'has')} a copy {where}, 1 % or fewer.", names)


def _neighbours(samples: Sequence[Sample], links: Sequence[Link]) -> Iterator[Finding]:
    """Neighbours in two splits: suspect where an id is missing, worth a look where the ids differ."""
    neighbours = [link for link in links if link.likeness is Likeness.NEIGHBOUR and link.crosses_splits]
    unknown = [link for link in neighbours if not link.knows_patients]
    different = [link for link in neighbours if link.knows_patients and not link.same_patient]
    cases = (
        (Level.WARN, unknown, "probably one patient in two splits"),
        (Level.PASS, different, "if their ids are right, they are two patients"),
    )
    for level, across, words in cases:
        if across:
            names = _names(samples, _concerned(samples, across))
            text = (
                f"{_slices(len(names), 'looks')} like a neighbour of a slice in another split, "
                f"{_example(samples, across)}: {words}."
            )
            yield Finding(level, text, names)


def _headline(samples: Sequence[Sample], copies: Sequence[Link]) -> str:
    if not samples:
        return "There are no slices to compare."
    count = int(_concerned(samples, copies).sum())
    if not count:
        return f"None of {len(samples)} slices is in the set twice."
    across = int(_concerned(samples, [link for link in copies if link.crosses_splits]).sum())
    more = f", {across} of them in another split" if across else ""
    return f"{count} of {len(samples)} slices ({count / len(samples):.1%}) have a copy in the set{more}."


def _share(samples: Sequence[Sample], matches: Sequence[Match], copies: Sequence[Link]) -> Figure:
    """Over resampled clusters of slices that are alike: a copy never comes alone."""
    clusters = to_clusters(len(samples), matches, likeness=Likeness.NEIGHBOUR)
    estimate = estimate_share(_concerned(samples, copies), [str(code) for code in clusters])
    return Figure("Slices that have a copy", "share of slices", estimate)


def _table(samples: Sequence[Sample], links: Sequence[Link]) -> Table:
    places = {
        "Within one split": [link for link in links if not link.crosses_splits],
        "Across splits": [link for link in links if link.crosses_splits],
        "Within one source": [link for link in links if not link.crosses_sources],
        "Across sources": [link for link in links if link.crosses_sources],
    }
    rows = tuple((name, *_counts(samples, chosen)) for name, chosen in places.items())
    return Table("Slices that have a match", ("Where", "Identical", "Altered copy", "Neighbour"), rows)


def _counts(samples: Sequence[Sample], links: Sequence[Link]) -> tuple[str, ...]:
    """How many slices have each likeness to another."""
    by_likeness = ([link for link in links if link.likeness is likeness] for likeness in Likeness)
    return tuple(f"{int(_concerned(samples, chosen).sum())}" for chosen in by_likeness)


def _worst(links: Sequence[Link]) -> list[Link]:
    """Copies before neighbours; across splits, then across sources, then the most alike."""
    return sorted(
        links,
        key=lambda link: (
            link.likeness is Likeness.NEIGHBOUR,
            not link.crosses_splits,
            not link.crosses_sources,
            -link.correlation,
            link.example,
        ),
    )


def _pair(samples: Sequence[Sample], link: Link) -> Pair:
    first, second = (samples[index] for index in link.example)
    text = {
        Likeness.EXACT: "identical pixels",
        Likeness.COPY: f"altered copy, correlation {link.correlation:.3f}",
        Likeness.NEIGHBOUR: f"neighbours, correlation {link.correlation:.3f}",
    }
    return Pair(first.name, second.name, (_caption(first), _caption(second)), text[link.likeness])


def _caption(sample: Sample) -> str:
    return ", ".join(part for part in (sample.row.label, sample.row.split, sample.row.source) if part)
