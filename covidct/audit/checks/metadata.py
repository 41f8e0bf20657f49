"""Check 4: whether the files alone, without their pixels, separate COVID-19 from the rest.

Where they do, a network can: size, compression and colour mode leave their traces in the pixels it sees.
Knows facts of files and probes of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covidct.audit.probes.file_columns import BYTES, encode_facts, list_values
from covidct.audit.probes.forest import Probe, is_plain, judge, pick_sources, run_probe
from covidct.audit.sample import Sample
from covidct.audit.verdict import Check, Figure, Finding, Level, Table, advise
from covidct.stats.resampling import Floats

# A value of one class only counts from here: slices, and the patients they are of.
OFTEN, PATIENTS = 5, 2
SHOWN = 15
# The headline names a value only where so much of its class has it.
NOTABLE = 0.05
ADVICE = (
    "Take both classes from the same scanners and the same years, and bring all files to one format, size "
    "and colour mode before training; traces of old compression stay in the pixels, so test on a source "
    "that was left out of training."
)


@dataclass(frozen=True)
class _OneSided:
    """A value that `slices` files of one class have, and none of the other."""

    property: str
    value: str
    label: int
    slices: int
    share: float

    def __str__(self) -> str:
        return f"{self.property} {self.value} only {_among(self.label)} ({self.slices} files)"


def check_metadata(samples: Sequence[Sample], groups: Sequence[str]) -> Check:
    """Format, size, JPEG quality, EXIF and DICOM tags against the label: at once, by family and by source.

    `groups` (n,) are the samples' patients. The level is the worst of all sources together and of each source
    that has both classes. Bytes per pixel are reported separately and can only warn: phantoms of one scanner
    with and without consolidation differ in them with AUC 0.76, as detail takes space.
    """
    families = encode_facts([sample.facts for sample in samples])
    columns = np.concatenate([part for name, part in families.items() if name != BYTES], axis=1)
    whole = run_probe(columns, _labels(samples), groups, name="no pixel")
    probes = {"all sources together": whole} | {
        f"source {name}": probe for name, probe in _probe_sources(columns, samples, groups).items()
    }
    by_family = _probe_families(families, whole, samples, groups)
    one_sided = _one_sided(samples, groups)
    findings = (
        *(judge(probe, f"Files alone, {where}") for where, probe in probes.items()),
        *_judge_bytes(by_family[BYTES]),
        *_misnamed(samples),
    )
    return Check(
        name="metadata",
        title="No-pixel probe",
        headline=_headline(probes, by_family, one_sided),
        advice=advise(findings, ADVICE),
        findings=findings,
        figures=tuple(Figure(where, "AUC", probe.auc) for where, probe in probes.items()),
        tables=(_family_table(by_family), _value_table(one_sided)),
        curves=(whole.curve,) if whole.curve else (),
    )


def _labels(samples: Sequence[Sample]) -> list[int]:
    return [sample.label for sample in samples]


def _probe_sources(columns: Floats, samples: Sequence[Sample], groups: Sequence[str]) -> dict[str, Probe]:
    """Source -> a probe of its own: one of all sources would spend itself on telling sources apart."""
    y, names = np.array(_labels(samples), np.int64), np.asarray(groups, dtype=str)
    parts = pick_sources([sample.row.source for sample in samples], _labels(samples))
    return {name: run_probe(columns[part], y[part], names[part].tolist()) for name, part in parts.items()}


def _probe_families(
    families: Mapping[str, Floats], whole: Probe, samples: Sequence[Sample], groups: Sequence[str]
) -> dict[str, Probe | None]:
    """Family -> its probe, best first; None where its facts are the same for every file.

    A family that varies alone is what `whole` was measured on.
    """
    varying = [name for name, columns in families.items() if columns.size and np.ptp(columns, axis=0).any()]
    alone = [name for name in varying if name != BYTES]
    found: dict[str, Probe | None] = dict.fromkeys(families)
    for name in varying:
        found[name] = whole if alone == [name] else run_probe(families[name], _labels(samples), groups)
    return dict(sorted(found.items(), key=lambda item: -_auc(item[1])))


def _auc(probe: Probe | None) -> float:
    return -1.0 if probe is None or probe.auc.value is None else probe.auc.value


def _one_sided(samples: Sequence[Sample], groups: Sequence[str]) -> list[_OneSided]:
    """Values that occur in one class only, the commonest first."""
    totals = Counter(_labels(samples))
    found = []
    for name, column in list_values([sample.facts for sample in samples]).items():
        places: dict[str, list[int]] = defaultdict(list)
        for index, value in enumerate(column):
            places[value].append(index)
        for value, indices in places.items():
            labels = {samples[index].label for index in indices}
            patients = {groups[index] for index in indices}
            if len(labels) == 1 < len(totals) and len(indices) >= OFTEN and len(patients) >= PATIENTS:
                (label,) = labels
                found.append(_OneSided(name, value, label, len(indices), len(indices) / totals[label]))
    return sorted(found, key=lambda one: (-one.share, one.property, one.value))


def _judge_bytes(probe: Probe | None) -> Iterator[Finding]:
    if probe and is_plain(probe):
        yield Finding(
            Level.WARN, f"Bytes per pixel: AUC {probe.auc.to_text()}, more than detail is likely to explain."
        )


def _misnamed(samples: Sequence[Sample]) -> Iterator[Finding]:
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sample in samples:
        if sample.facts.misnamed:
            kinds[sample.facts.format, sample.facts.ending].append(sample.name)
    for (kind, ending), names in sorted(kinds.items()):
        verb = "file is" if len(names) == 1 else "files are"
        end = "ends" if len(names) == 1 else "end"
        yield Finding(Level.WARN, f"{len(names)} {verb} {kind} but {end} in {ending}.", tuple(names))


def _headline(
    probes: Mapping[str, Probe], families: Mapping[str, Probe | None], one_sided: Sequence[_OneSided]
) -> str:
    """Sum up the worst of the probes, which are all sources together and each source."""
    where, worst = max(probes.items(), key=lambda item: (item[1].level.rank, _auc(item[1])))
    if worst.auc.value is None:
        return f"Not measured: {worst.auc.reason}."
    text = f"AUC {worst.auc.to_text()}, {where}{f', {worst.note}' if worst.note else ''}"
    if worst.level is Level.PASS:
        return f"Without their pixels, the files say little about the label: {text}."
    text = f"Even without their pixels, the files separate COVID-19 from the rest: {text}"
    if one_sided and one_sided[0].share >= NOTABLE:
        return f"{text}; {one_sided[0]}."
    return f"{text}; the most informative is {next(name for name in families if name != BYTES)}."


def _family_table(families: Mapping[str, Probe | None]) -> Table:
    rows = []
    for name, probe in families.items():
        label = f"{name} (grows with detail, lesions included)" if name == BYTES else name
        rows.append((label, probe.auc.to_text() if probe else "the same everywhere"))
    return Table("What gives it away", ("Facts", "AUC"), tuple(rows))


def _value_table(one_sided: Sequence[_OneSided]) -> Table:
    rows = [
        (one.property, one.value, _among(one.label), f"{one.slices}", f"{100 * one.share:.0f} %")
        for one in one_sided[:SHOWN]
    ]
    left = len(one_sided) - len(rows)
    title = "Values of one class only" + (f" (the commonest {SHOWN}, {left} more left out)" if left else "")
    return Table(title, ("Fact", "Value", "Only", "Files", "Share of that class"), tuple(rows))


def _among(label: int) -> str:
    return "among COVID-19" if label else "among others"
