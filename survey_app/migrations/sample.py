"""Step 0005: sample waves with their frame, devices of interviewers, published reference figures.

`response` is made anew, since SQLite cannot add a rule to a table: the documented procedure (new table, copy, drop,
rename), with foreign keys off meanwhile and checked before the commit. https://www.sqlite.org/lang_altertable.html#otheralter
"""

SAMPLE = """
ALTER TABLE device ADD COLUMN purpose TEXT NOT NULL DEFAULT 'counter' CHECK (purpose IN ('counter', 'sample'));
DROP TRIGGER device_fixed;
CREATE TRIGGER device_fixed BEFORE UPDATE OF id, centre, simulated, created, purpose ON device
BEGIN SELECT RAISE(ABORT, 'a device belongs to one centre and one purpose for ever'); END;

DROP TRIGGER wave_one_open_per_centre;
CREATE TRIGGER wave_one_open_per_centre BEFORE UPDATE OF status ON wave
WHEN NEW.status = 'open' AND EXISTS (
    SELECT 1 FROM wave AS other
    JOIN wave_centre AS theirs ON theirs.wave = other.id
    JOIN wave_centre AS ours ON ours.centre = theirs.centre AND ours.wave = NEW.id
    WHERE other.status = 'open' AND other.kind = NEW.kind AND other.id <> NEW.id)
BEGIN SELECT RAISE(ABORT, 'a centre has at most one open wave of each kind'); END;

CREATE TABLE frame (
    wave TEXT NOT NULL REFERENCES wave (id),
    psu TEXT NOT NULL,
    stratum TEXT NOT NULL,
    name TEXT NOT NULL,
    population INTEGER NOT NULL CHECK (population > 0),
    probability REAL NOT NULL CHECK (probability > 0 AND probability <= 1),
    households INTEGER NOT NULL CHECK (households BETWEEN 1 AND population),
    position INTEGER NOT NULL CHECK (position > 0),
    PRIMARY KEY (wave, psu),
    UNIQUE (wave, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER frame_fixed BEFORE INSERT ON frame
WHEN (SELECT kind || ' ' || status FROM wave WHERE id = NEW.wave) <> 'sample planned'
BEGIN SELECT RAISE(ABORT, 'the frame of a sample wave is fixed once it has opened'); END;
CREATE TRIGGER frame_no_update BEFORE UPDATE ON frame
BEGIN SELECT RAISE(ABORT, 'frame rows are append-only'); END;
CREATE TRIGGER frame_no_delete BEFORE DELETE ON frame
BEGIN SELECT RAISE(ABORT, 'frame rows are append-only'); END;

CREATE TABLE reference (
    import INTEGER NOT NULL REFERENCES event (number),
    year INTEGER NOT NULL CHECK (year BETWEEN 2000 AND 2199),
    place TEXT NOT NULL CHECK (place IN ('national', 'province')),
    measure TEXT NOT NULL,
    value TEXT NOT NULL,
    series TEXT NOT NULL,
    label TEXT NOT NULL CHECK (label IN ('V', 'S', 'D', 'I', 'B')),
    source TEXT NOT NULL,
    PRIMARY KEY (place, year, measure, import)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER reference_no_update BEFORE UPDATE ON reference
BEGIN SELECT RAISE(ABORT, 'reference rows are append-only'); END;
CREATE TRIGGER reference_no_delete BEFORE DELETE ON reference
BEGIN SELECT RAISE(ABORT, 'reference rows are append-only'); END;

CREATE TABLE response_anew (
    uuid TEXT NOT NULL PRIMARY KEY CHECK (length(uuid) = 36 AND uuid = lower(uuid)),
    number INTEGER NOT NULL UNIQUE,
    wave TEXT NOT NULL REFERENCES wave (id),
    position INTEGER NOT NULL CHECK (position > 0),
    centre TEXT NOT NULL REFERENCES centre (code),
    field TEXT REFERENCES service_field (code),
    device TEXT NOT NULL REFERENCES device (id),
    seq INTEGER CHECK (seq > 0),
    questionnaire TEXT NOT NULL,
    version TEXT NOT NULL,
    language TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('kiosk', 'assisted', 'page', 'paper', 'import')),
    recruitment TEXT NOT NULL CHECK (recruitment IN ('walk_up', 'invited', 'staff_asked')),
    disposition TEXT NOT NULL CHECK (disposition IN ('complete', 'broken_off', 'refused', 'not_at_home')),
    psu TEXT,
    part TEXT CHECK (part IS NULL OR json_valid(part)),
    started TEXT NOT NULL,
    submitted TEXT NOT NULL,
    received TEXT NOT NULL,
    offset_ms INTEGER NOT NULL,
    local_day TEXT NOT NULL CHECK (local_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    late INTEGER NOT NULL CHECK (late IN (0, 1)),
    after_close INTEGER NOT NULL CHECK (after_close IN (0, 1)),
    clock INTEGER NOT NULL CHECK (clock IN (0, 1)),
    content TEXT NOT NULL,
    content_sha256 TEXT NOT NULL CHECK (length(content_sha256) = 64),
    chain TEXT NOT NULL CHECK (length(chain) = 64),
    UNIQUE (wave, position),
    FOREIGN KEY (questionnaire, version) REFERENCES questionnaire (id, version),
    FOREIGN KEY (wave, psu) REFERENCES frame (wave, psu),
    CHECK (seq IS NOT NULL OR mode IN ('page', 'assisted')),
    CHECK (NOT (late = 1 AND after_close = 1))
) STRICT;
INSERT INTO response_anew (
    uuid, number, wave, position, centre, field, device, seq, questionnaire, version, language, mode, recruitment,
    disposition, psu, part, started, submitted, received, offset_ms, local_day, late, after_close, clock, content,
    content_sha256, chain)
SELECT
    uuid, number, wave, position, centre, field, device, seq, questionnaire, version, language, mode, recruitment,
    disposition, psu, part, started, submitted, received, offset_ms, local_day, late, after_close, clock, content,
    content_sha256, chain
FROM response WHERE number > :after AND number <= :upto ORDER BY number;
DROP TABLE response;
ALTER TABLE response_anew RENAME TO response;
CREATE INDEX response_device_seq ON response (device, seq);
CREATE TRIGGER response_no_update BEFORE UPDATE ON response
BEGIN SELECT RAISE(ABORT, 'response rows are append-only'); END;
CREATE TRIGGER response_no_delete BEFORE DELETE ON response
BEGIN SELECT RAISE(ABORT, 'response rows are append-only'); END;
"""
