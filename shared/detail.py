"""A card's further figures as lines of words and numbers: the page and the report say the same."""

from shared.schemas import Detail, Interval
from shared.sentences import say

Line = tuple[str, str]


def lines(detail: Detail) -> list[Line]:
    """Name and figure with its 95 % interval, in the order of a reader's questions."""
    return [
        *((say(f"page.{rate.rate}_at", at=f"{rate.at:.2f}"), _spread(rate.value)) for rate in detail.fixed),
        *(line for values in detail.predictive for line in _predictive(values.prevalence, values.ppv, values.npv)),
        (say("page.mcc"), _spread(detail.mcc)),
        (say("page.calibration_slope"), _spread(detail.calibration_slope)),
        (say("page.calibration_intercept"), _spread(detail.calibration_intercept)),
        *_repeated(detail),
        *([(say("page.contradicted"), _spread(detail.contradicted))] if detail.contradicted else []),
        *_conformal(detail),
    ]


def _predictive(prevalence: float, ppv: Interval, npv: Interval) -> list[Line]:
    share = f"{prevalence:.0%}"
    return [(say("page.ppv", share=share), _spread(ppv)), (say("page.npv", share=share), _spread(npv))]


def _repeated(detail: Detail) -> list[Line]:
    over = detail.repeated
    if over is None:
        return []
    return [(say("page.repeated", splits=over.splits), f"{over.mean:.2f} ({over.low:.2f}–{over.high:.2f})")]


def _conformal(detail: Detail) -> list[Line]:
    """Coverage and how often a person must look, by class and source."""
    sets = detail.conformal
    if sets is None:
        return []
    bounds = say("page.conformal_bounds", rate=f"{1 - sets.alpha:.0%}")
    return [
        (bounds, f"{sets.lower:.2f}–{sets.upper:.2f}"),
        *(
            (
                say("page.conformal_group", group=group.group),
                say(
                    "page.conformal_rates", covered=_spread(group.covered), undecided=_spread(group.undecided),
                    n=group.n,
                ),
            )
            for group in sets.groups
        ),
    ]  # fmt: skip


def _spread(figure: Interval) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}–{figure.high:.2f})"
