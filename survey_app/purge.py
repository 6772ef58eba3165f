"""Deleting comments after their time: the setting `comment_days` says how long they are kept.

`purge`.
"""

from datetime import UTC, datetime, timedelta

from survey_app.problems import Problem, SipasError
from survey_app.store import Store
from survey_app.store.purging import PurgedComments

MOST_DAYS = 36_500


class PurgeError(SipasError):
    """The age cannot be used."""


def purge(store: Store, *, days: int | None = None, wave: str | None = None, pretend: bool = False) -> PurgedComments:
    """Delete comments received more than `days` ago, by default the setting's; `pretend` only counts them."""
    kept = store.settings.comment_days if days is None else days
    if not 0 <= kept <= MOST_DAYS:
        raise PurgeError(Problem(f"{kept} days is no age of a comment", "--older-than", f"name 0 to {MOST_DAYS} days"))
    before = datetime.now(UTC) - timedelta(days=kept)
    return store.comments_due(before, wave) if pretend else store.purge_comments(before, wave)
