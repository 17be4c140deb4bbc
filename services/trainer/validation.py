"""Is a folder fit to be trained on? Every defect by name, and how far a shortcut would get, in plain sentences."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from services.trainer import inventory
from services.trainer.fingerprints import NEAR_PICTURE, NEAR_SOUND, near_pairs
from services.trainer.inventory import File
from services.trainer.shortcuts import Shortcut, one_sided, shortcuts
from shared.schemas import Shape

Severity = Literal["error", "warning"]
_SHOWN = 8


class Finding(Shape):
    """One kind of defect: how many files, and the first of them."""

    code: str
    severity: Severity
    sentence: str
    count: int
    files: list[str]


class Validation(Shape):
    """The report: what the folder holds, its defects (errors first), and what a trivial reading of it would reach."""

    files: int
    patients: int
    labels: dict[str, int]
    sources: dict[str, int]
    findings: list[Finding]
    shortcuts: list[Shortcut]

    @property
    def sound(self) -> bool:
        """Whether it holds no error; warnings may remain."""
        return not any(finding.severity == "error" for finding in self.findings)


def validate(folder: Path, on_file: inventory.OnFile = inventory.silent, seed: int = 7) -> Validation:
    """Read every file and judge the folder. Raises BadRequest when the index is missing or lacks a column."""
    return judge(folder, inventory.take(folder, on_file), seed)


def judge(folder: Path, files: list[File], seed: int = 7) -> Validation:
    """The report on files that were read (`inventory.take`)."""
    measured = shortcuts(folder, files, seed)
    found = [finding for check in _CHECKS for finding in check(files)]
    found += [_finding("shortcut", "warning", s.sentence, []) for s in measured if s.works]
    return Validation(
        files=len(files),
        patients=len({file.patient for file in files}),
        labels=dict(sorted(Counter(file.label for file in files).items())),
        sources=dict(sorted(Counter(file.source for file in files).items())),
        findings=sorted(found, key=lambda finding: finding.severity),
        shortcuts=measured,
    )


def _finding(code: str, severity: Severity, sentence: str, files: Iterable[str]) -> Finding:
    names = list(files)
    return Finding(code=code, severity=severity, sentence=sentence, count=len(names) or 1, files=names[:_SHOWN])


def _each(code: str, severity: Severity, sentence: str, files: list[File]) -> list[Finding]:
    """One finding about these files, or none."""
    return (
        [_finding(code, severity, sentence.format(n=_count(len(files), "file")), [file.path for file in files])]
        if files
        else []
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _missing(files: list[File]) -> list[Finding]:
    sentence = "Listed, but not in the folder: {n}. Training would stop."
    return _each("missing_file", "error", sentence, [file for file in files if not file.sha256])


def _undecodable(files: list[File]) -> list[Finding]:
    """One finding a reason, because what to do about it differs."""
    by_reason: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if file.problem:
            by_reason[file.problem].append(file)
    return [
        f
        for why, those in by_reason.items()
        for f in _each("undecodable", "error", f"Not readable: {{n}}. {why}", those)
    ]


def _doubtful(files: list[File]) -> list[Finding]:
    sentence = "Readable, but of no use (too short, silent, blank, ...): {n}. Training leaves them out."
    return _each("unusable", "warning", sentence, [file for file in files if file.doubt])


def _unnamed(files: list[File]) -> list[Finding]:
    patients = [file for file in files if not file.patient]
    labels = [file for file in files if not file.label]
    return [
        *_each("no_patient", "error", "Without a patient: {n}. No honest split is possible.", patients),
        *_each("no_label", "error", "Without a label: {n}.", labels),
    ]


def _altered(files: list[File]) -> list[Finding]:
    altered = [file for file in files if file.claimed and file.sha256 and file.claimed.lower() != file.sha256]
    return _each("altered", "error", "Not the content that the index describes (another sha256): {n}.", altered)


def _twins(files: list[File]) -> list[Finding]:
    """The same content twice: harmless, or with two labels, two patients or in two splits."""
    groups: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if file.sha256:
            groups[file.sha256].append(file)
    twins = [group for group in groups.values() if len(group) > 1]
    return [
        *_conflict(twins, "label_conflict", "label", "The same content with different labels: {n}."),
        *_conflict(twins, "twin_patients", "patient", "The same content of different patients: {n}."),
        *_conflict(twins, "twin_splits", "split", "The same content in different splits: {n}."),
        *_each("duplicate", "warning", "There more than once: {n}. Each content counts once.", _agreeing(twins)),
    ]


def _conflict(twins: list[list[File]], code: str, column: str, sentence: str) -> list[Finding]:
    torn = [file for group in twins if len({getattr(file, column) for file in group}) > 1 for file in group]
    return _each(code, "error", sentence, torn)


def _agreeing(twins: list[list[File]]) -> list[File]:
    return [file for group in twins if len({(f.label, f.patient, f.split) for f in group}) == 1 for file in group]


def _near(files: list[File]) -> list[Finding]:
    """Near-duplicates of different content; worse when they are of two patients, since a split may part them."""
    places, prints = inventory.looks(files)
    picture = bool(places) and not files[places[0]].media_type.startswith("audio/")
    pairs = near_pairs(prints, NEAR_PICTURE if picture else NEAR_SOUND)
    couples = [(files[places[i]], files[places[j]]) for i, j, _ in pairs]
    couples = [(a, b) for a, b in couples if a.sha256 != b.sha256]
    labels = [(a, b) for a, b in couples if a.label != b.label]
    patients = [(a, b) for a, b in couples if a.label == b.label and a.patient != b.patient]
    rest = [(a, b) for a, b in couples if a.label == b.label and a.patient == b.patient]
    return [
        *_couples("near_labels", "nearly the same, but with different labels", labels),
        *_couples("near_patients", "nearly the same, but of two patients: a split may part them", patients),
        *_couples("near_duplicate", "nearly the same (another encoding, size or loudness?)", rest),
    ]


def _couples(code: str, what: str, couples: list[tuple[File, File]]) -> list[Finding]:
    names = [f"{a.path} ≈ {b.path}" for a, b in couples]
    return [_finding(code, "warning", f"{_count(len(couples), 'pair')} of files, {what}.", names)] if couples else []


def _patients(files: list[File]) -> list[Finding]:
    labels, splits = _by_patient(files, "label"), _by_patient(files, "split")
    torn = [patient for patient, words in splits.items() if len(words) > 1]
    both = [patient for patient, words in labels.items() if len(words) > 1]
    words = f"In more than one split: {_count(len(torn), 'patient')}. What is tested was seen in training."
    said = (
        f"With different labels: {_count(len(both), 'patient')}. Right where a disease comes and goes, else a mistake."
    )
    return [
        *([_finding("patient_in_two_splits", "error", words, torn)] if torn else []),
        *([_finding("patient_with_two_labels", "warning", said, both)] if both else []),
    ]


def _by_patient(files: list[File], column: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for file in files:
        if file.patient:
            found[file.patient].add(getattr(file, column))
    return found


def _one_sided(files: list[File]) -> list[Finding]:
    names = one_sided(files)
    sentence = f"With one label only: {_count(len(names), 'source')}. Whatever marks the source marks the label."
    return [_finding("one_label_source", "warning", sentence, names)] if names else []


_CHECKS = (_missing, _undecodable, _unnamed, _altered, _twins, _patients, _doubtful, _near, _one_sided)
