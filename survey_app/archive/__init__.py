"""One wave as one file for archiving, and back."""
