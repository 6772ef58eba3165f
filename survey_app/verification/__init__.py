"""Proof that nothing was changed, removed or inserted: everything is recomputed and held against its witnesses.

`verify` names what it finds, in plain words, `check_tables` what it finds beside the chains; `held_heads` reads the heads that people kept elsewhere.
"""

from survey_app.verification.elsewhere import HeadsError, held_heads
from survey_app.verification.recomputing import check_tables, verify

__all__ = ["HeadsError", "check_tables", "held_heads", "verify"]
