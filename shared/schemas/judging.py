"""What readers say of a result, and how far its review is."""

from datetime import datetime
from enum import StrEnum

from shared.schemas.base import Shape


class Verdict(StrEnum):
    """A reader's verdict on a result."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNSURE = "unsure"


class Label(StrEnum):
    """Whether the finding is there, as a reader or a test says."""

    PRESENT = "present"
    ABSENT = "absent"


class Basis(StrEnum):
    """What a verdict rests on."""

    PCR = "pcr"
    RADIOLOGIST = "radiologist"
    FOLLOW_UP = "follow_up"
    IMPRESSION = "impression"


class ReviewState(StrEnum):
    """What became of a result among its readers."""

    NONE = "none"
    AGREED = "agreed"
    DISAGREED = "disagreed"
    IN_ADJUDICATION = "in_adjudication"
    ADJUDICATED = "adjudicated"


class AdjudicationState(StrEnum):
    """Where a second reading is. `undetermined`: the second reader could not tell. `replaced`: by a later one."""

    OPEN = "open"
    ADJUDICATED = "adjudicated"
    UNDETERMINED = "undetermined"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"


class Review(Shape):
    """A result's review, the label that it came to if any, and since when it is so."""

    state: ReviewState = ReviewState.NONE
    label: Label | None = None
    at: datetime | None = None
