"""Proof that nothing was changed, removed or inserted: everything is recomputed and held against its witnesses.

`verify` names what it finds, in plain words, `check_tables` what it finds beside the chains; `held_heads` reads the heads that people kept elsewhere.
"""

from survey_app.verification.elsewhere import HeadsError, held_heads
from survey_app.verification.recomputing import check_tables, verify
from survey_app.verification.restores import given_up_of

__all__ = ["HeadsError", "check_tables", "given_up_of", "held_heads", "verify"]
