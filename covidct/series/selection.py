"""Which series of a study to read, where several could be.

The rule, first to last: what names the chest before what names nothing, and that before what names another
part of the body; slices of 1 to 5 mm before others, since thinner ones are noise and thicker ones blur
lesions away; a lung or soft kernel before one for bones; then the thinnest; then lung before soft; then the
most slices. Knows what headers say, which may be wrong: the gate looks at the pixels.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from covidct.series.kernels import is_for_bones, is_for_lungs
from covidct.series.types import RefusedSeries, Series, name_series
from covidct.types import Reason

FINEST_MM, COARSEST_MM = 1.0, 5.0
# In the languages of the page and some more, accents folded.
_CHEST = re.compile(
    "chest|thora[xck]|lung|pulmo|torax|toraks|poumon|brust|poitrine|petto|polmon|pecho|peito|klatk|pluc|hrudni"
    "|mellkas|gogus|akciger|keuhko|brost|bryst|borst|胸|肺|груд|легк|легоч|θωρακ|흉부|폐|صدر|رية|חזה"
)
_ELSEWHERE = re.compile(
    "head|brain|skull|neck|abd|pelvi|spine|knee|foot|ankle|hip|shoulder|hand|wrist|elbow|leg|cardi|heart|coronar"
    "|crane|cerebr|cabeza|cabeca|tete|cervical|kopf|schadel|hals|hirn|bauch|becken|wirbel|testa|cranio|encefal"
    "|columna|rachis|lumb|beyin|kafa|boyun|karin|glow|brzuch|头|頭|脳|脑|腹|骨盤|盆腔|頸|颈|脊|голов|мозг|шея|живот|брюш|таз"
    "|позвон|κεφαλ|머리|뇌|복부"
)
_NO_ACCENTS = str.maketrans("łŁøØßıđ", "lLoOsid")


def choose(series: Iterable[Series]) -> tuple[list[Series], list[RefusedSeries]]:
    """One series of each study, in the order in which studies come, and the others with the reason why not.

    Those of one study come in the order in which they would be read. A series that names no study is one of
    its own; two patients never share one.
    """
    studies: dict[tuple[str | None, str], list[Series]] = defaultdict(list)
    for item in series:
        studies[to_study(item)].append(item)
    chosen: list[Series] = []
    others: list[RefusedSeries] = []
    for candidates in studies.values():
        best, *rest = sorted(candidates, key=to_rank)
        chosen.append(best)
        others += [_refuse(item, best) for item in rest]
    return chosen, others


def to_study(series: Series) -> tuple[str | None, str]:
    """The key by which series belong to one study."""
    return series.acquisition.patient_id, series.acquisition.study_uid or series.uid


def find_next(series: Series, refused: Iterable[RefusedSeries]) -> RefusedSeries | None:
    """The series of the same study that was not chosen and would be read next; None where there is none."""
    study = to_study(series)
    others = (one for one in refused if one.reason is Reason.NOT_CHOSEN)
    return next((one for one in others if to_study(one.series) == study), None)


def to_rank(series: Series) -> tuple[int, bool, bool, float, bool, int, str]:
    """What series of a study are sorted by, the first of them to be read."""
    acquisition = series.acquisition
    thickness = acquisition.slice_thickness_mm or acquisition.spacing_mm or COARSEST_MM
    kernel = acquisition.kernel or acquisition.series_description or ""
    return (
        _body(series),
        not FINEST_MM <= thickness <= COARSEST_MM,
        is_for_bones(kernel),
        thickness,
        not is_for_lungs(kernel),
        -len(series.instances),
        series.uid,
    )


def _body(series: Series) -> int:
    """0 for the chest, 1 where nothing is named, 2 for another part of the body.

    The description of the series counts first: BodyPartExamined is often that of the protocol, and the same
    for all series of a study.
    """
    acquisition = series.acquisition
    for named in (acquisition.series_description, acquisition.body_part):
        folded = fold(named or "")
        if _CHEST.search(folded):
            return 0
        if _ELSEWHERE.search(folded):
            return 2
    return 0 if _CHEST.search(fold(acquisition.study_description or "")) else 1


def fold(text: str) -> str:
    """Small letters without accents: `TÓRAX` and `torax` are one word."""
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_NO_ACCENTS))
    return unicodedata.normalize("NFC", "".join(part for part in parts if not unicodedata.combining(part)))


_WHY = (
    "it names the chest",
    f"its slices are {FINEST_MM:g} to {COARSEST_MM:g} mm thick",
    "its kernel is not one for bones",
    "its slices are thinner",
    "its kernel is one for lungs",
    "it has more slices",
    "its SeriesInstanceUID comes first, all else being equal",
)


def _refuse(series: Series, best: Series) -> RefusedSeries:
    pairs = zip(_WHY, to_rank(series), to_rank(best), strict=True)
    why = next(sentence for sentence, own, other in pairs if own != other)
    message = (
        f"{series.path}: series {name_series(series)}: not read, but series {name_series(best)} of the same "
        f"study: {why}; --all-series reads both"
    )
    return RefusedSeries(series, Reason.NOT_CHOSEN, message)
