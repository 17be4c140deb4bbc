"""What a DICOM header says about the study, as far as it is well formed: hostile and careless headers are common."""

import re
from datetime import date, datetime, timedelta, timezone

from pydicom.dataset import Dataset

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_AGE = re.compile(r"(\d{3})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
_DATE = re.compile(r"\d{8}")
_STAMP = re.compile(r"(\d{8})(\d{6})(\.\d{1,6})?([+-]\d{4})?")
_MAX_AGE = 130

# Fact → keyword and greatest length (PS3.5 6.2).
_TEXTS = {
    "patient_id": ("PatientID", 64),
    "view": ("ViewPosition", 16),
    "body_part": ("BodyPartExamined", 16),
    "site": ("InstitutionName", 64),
}


def header_facts(dataset: Dataset) -> dict[str, str | float]:
    """The facts that `dicom.py` lists. One that is missing, too long, or holds control characters is left out."""
    found: dict[str, str | float | None] = {
        **{fact: clean(dataset.get(keyword), length) for fact, (keyword, length) in _TEXTS.items()},
        "age_years": _age(dataset),
        "sex": _sex(dataset),
        "device": _device(dataset),
        "acquired_at": _acquired_at(dataset),
        "study_uid": _uid(dataset.get("StudyInstanceUID")),
        "sop_uid": _uid(dataset.get("SOPInstanceUID")),
    }
    return {fact: value for fact, value in found.items() if value is not None}


def clean(value: object, length: int) -> str | None:
    """One line of printable text of at most `length` characters, or None."""
    text = "" if value is None else str(value).strip()
    return text if 0 < len(text) <= length and text.isprintable() else None


def _uid(value: object) -> str | None:
    text = clean(value, 64)
    return text if text and _UID.fullmatch(text) else None


def _sex(dataset: Dataset) -> str | None:
    text = clean(dataset.get("PatientSex"), 16)
    return text if text in ("F", "M", "O") else None


def _device(dataset: Dataset) -> str | None:
    words = (clean(dataset.get(keyword), 64) for keyword in ("Manufacturer", "ManufacturerModelName"))
    return clean(" ".join(word for word in words if word), 128)


def _age(dataset: Dataset) -> float | None:
    """In years, from PatientAge or from the dates of birth and study; None when absent or absurd."""
    match = _AGE.fullmatch(str(dataset.get("PatientAge") or ""))
    if match:
        years = int(match[1]) * _DAYS[match[2]] / _DAYS["Y"]
    else:
        born, studied = _date(dataset.get("PatientBirthDate")), _date(dataset.get("StudyDate"))
        if born is None or studied is None:
            return None
        years = (studied - born).days / _DAYS["Y"]
    return round(years, 2) if 0 <= years <= _MAX_AGE else None


def _date(value: object) -> date | None:
    text = str(value or "")
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _acquired_at(dataset: Dataset) -> str | None:
    """When the picture was taken. Headers seldom say their zone: without one the time is taken as UTC."""
    stamps = (
        str(dataset.get("AcquisitionDateTime") or ""),
        _joined(dataset, "AcquisitionDate", "AcquisitionTime"),
        _joined(dataset, "StudyDate", "StudyTime"),
    )
    return next((moment for stamp in stamps if (moment := _moment(stamp, dataset))), None)


def _joined(dataset: Dataset, day: str, time: str) -> str:
    return str(dataset.get(day) or "") + str(dataset.get(time) or "").partition(".")[0].ljust(6, "0")


def _moment(stamp: str, dataset: Dataset) -> str | None:
    match = _STAMP.fullmatch(stamp)
    if match is None:
        return None
    offset = match[4] or clean(dataset.get("TimezoneOffsetFromUTC"), 5) or "+0000"
    try:
        zone = timezone(timedelta(minutes=int(f"{offset[0]}1") * (int(offset[1:3]) * 60 + int(offset[3:5]))))
        return datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=zone).isoformat()
    except ValueError:
        return None
