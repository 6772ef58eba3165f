"""Proof that nothing was changed, removed or inserted: everything is recomputed and held against its witnesses.

`verify` names what it finds, in plain words.
"""

from survey_app.verification.recomputing import verify

__all__ = ["verify"]
