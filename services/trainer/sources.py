"""What is known of the public sources: licence, attribution, whom they hold, and what to beware of.

A source that is not listed may be trained on by whoever has the right to; its card then says that nothing is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """`shippable`: a version trained on it may be given away. `ages` in years. `family`: sources of one collection."""

    licence: str
    attribution: str
    caveat: str
    family: str
    shippable: bool = True
    ages: tuple[float, float] | None = None


_COUGH = "covid19-cough/dataset, Russia 2020 (public domain, CC0 1.0)"
_NO_SPEAKERS = "no speaker ids are published, so one person may count as several patients; negatives were never tested"
_SPRSOUND = Source(
    licence="GPL-3.0",
    attribution="SPRSound: Open-Source SJTU Paediatric Respiratory Sound Database (Q. Zhang et al., IEEE TBioCAS "
    "2022), Shanghai Children's Medical Center, as published under GPL-3.0",
    caveat="one hospital, one kind of stethoscope (Yunting model II), children from 1 month to 18 years",
    family="sprsound",
    ages=(0.0, 18.0),
)

SOURCES: dict[str, Source] = {
    "covid19-cough-call-center": Source(
        "CC0 1.0",
        _COUGH,
        f"8 kHz telephone line; 71 % of it covid, 77 % of these PCR-verified; {_NO_SPEAKERS}",
        "call-center",
    ),
    "covid19-cough-telegram": Source(
        "CC0 1.0",
        _COUGH,
        f"48 kHz messenger recordings; 17 % of it covid, all self-reported; {_NO_SPEAKERS}",
        "telegram",
    ),
    "trial-coswara": Source(
        "CC BY 4.0",
        "Project Coswara, Indian Institute of Science, Bangalore (iiscleap/Coswara-Data), CC BY 4.0",
        "ten covid recordings of five people, no negatives: its figures cannot show whether the finding is recognised",
        "coswara",
    ),
    "trial-audioset": Source(
        "none stated", "clips cut from YouTube videos (AudioSet ids)", "rights unclear", "audioset", shippable=False
    ),
    "sprsound2022-train": _SPRSOUND,
    "sprsound2022-intra": _SPRSOUND,
    "ieee8023-covid": Source(
        "mixed, many blank or non-commercial",
        "ieee8023/covid-chestxray-dataset (J. P. Cohen et al.)",
        "figures out of papers",
        "ieee8023",
        shippable=False,
    ),
    "hannover": Source(
        "CC BY 3.0",
        "Institute for Diagnostic and Interventional Radiology, Hannover Medical School (covid-19-image-repository), "
        "CC BY 3.0; PNG files re-encoded as JPEG",
        "covid only, 35 patients, mostly AP pictures of patients in bed: lines, tubes and the view give the class away",
        "hannover",
        ages=(18.0, 100.0),
    ),
    "nih-chestxray14-nofinding": Source(
        "unrestricted use with attribution",
        "NIH Clinical Center, ChestX-ray14 (X. Wang et al., CVPR 2017)",
        "normal only; adults and adolescents; labels mined from reports by a program",
        "nih",
        ages=(12.0, 100.0),
    ),
    "kermany-normal": Source(
        "CC BY 4.0",
        "D. Kermany et al., Cell 2018 (Mendeley Data rscbjbr9sj), CC BY 4.0",
        "normal only; children from 1 to 5 years, so a small chest means normal",
        "kermany",
        ages=(1.0, 5.0),
    ),
}


def known(name: str) -> Source:
    """What is known of a source; of an unlisted one, that nothing is."""
    unknown = "not stated"
    return SOURCES.get(name, Source(unknown, f"{name} (licence not stated)", "nothing is known of this source", name))


def not_shippable() -> frozenset[str]:
    """Sources that no version given away may be trained on."""
    return frozenset(name for name, source in SOURCES.items() if not source.shippable)


def ages_seen(with_finding: Iterable[str], without: Iterable[str]) -> tuple[float, float] | None:
    """Ages that occur in sources of both classes, None when nothing is known of one class."""
    spans = [[known(name).ages for name in names] for names in (with_finding, without)]
    if any(not span or None in span for span in spans):
        return None
    lows = [min(ages[0] for ages in span if ages) for span in spans]
    highs = [max(ages[1] for ages in span if ages) for span in spans]
    return max(lows), min(highs)
