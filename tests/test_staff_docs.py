"""Whatever sentence a tablet can show to staff is explained in host.md."""

import re

import pytest

from survey_app.messages import messages
from tests.docs_commands import PAGES

HOST = re.sub(r"\s+", " ", PAGES["host.md"])
TITLES = [f"{kind}_title" for kind in ("no_device", "not_ready", "no_wave", "revoked", "storage")]
TROUBLE = [key for key in messages() if key.startswith("staff_problem_")] + [
    "staff_queue_waiting", "staff_queue_refused", "staff_queue_unreadable", "staff_missing", "staff_not_persisted",
    "staff_space_short", "staff_update_not_installed", "staff_no_pin", "staff_pin_not_known", "storage_staff",
]  # fmt: skip
BUTTONS = [
    "staff_button",
    "staff_send",
    "staff_update",
    "staff_export",
    "staff_back",
    "staff_queue",
    "staff_contact",
    "staff_storage",
]


@pytest.mark.parametrize("key", [*TITLES, *TROUBLE, *BUTTONS, "staff_queue_sent"])
def test_a_sentence_of_the_tablet_is_explained(key: str) -> None:
    """By its first clause, up to what is filled in."""
    said = messages()[key]["vi"].removeprefix("Nhân viên: ")
    clause = re.split(r"[.,:({]|\sđã dùng", said)[0].strip()
    assert clause.lower() in HOST.lower()
