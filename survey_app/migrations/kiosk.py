"""Step 0006: what the contacts with a tablet teach about it, and the PIN of a centre's staff page."""

KIOSK = """
ALTER TABLE device ADD COLUMN app TEXT;
ALTER TABLE device ADD COLUMN offset_ms INTEGER;

CREATE TABLE contact (
    device TEXT NOT NULL REFERENCES device (id),
    day TEXT NOT NULL CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    contacts INTEGER NOT NULL CHECK (contacts > 0),
    first TEXT NOT NULL,
    last TEXT NOT NULL CHECK (last >= first),
    offset_least INTEGER,
    offset_most INTEGER CHECK (offset_most >= offset_least),
    PRIMARY KEY (device, day),
    CHECK ((offset_least IS NULL) = (offset_most IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TRIGGER contact_no_delete BEFORE DELETE ON contact
BEGIN SELECT RAISE(ABORT, 'contacts are never deleted'); END;

CREATE TABLE centre_pin (
    centre TEXT NOT NULL PRIMARY KEY REFERENCES centre (code),
    salt TEXT NOT NULL CHECK (length(salt) = 32),
    iterations INTEGER NOT NULL CHECK (iterations > 0),
    hash TEXT NOT NULL CHECK (length(hash) = 64),
    since TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
