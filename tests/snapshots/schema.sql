CREATE INDEX conflict_device_seq ON conflict (device, seq);

CREATE INDEX event_kind ON event (kind);

CREATE INDEX event_rejected ON event (json_extract(detail, '$.device'), json_extract(detail, '$.seq'))
WHERE kind = 'rejected';

CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");

CREATE INDEX response_device_seq ON response (device, seq);

CREATE INDEX wave_centre_centre ON wave_centre (centre);

CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);

CREATE TABLE answer (
    response INTEGER NOT NULL REFERENCES response (number),
    item TEXT NOT NULL,
    code INTEGER NOT NULL,
    PRIMARY KEY (response, item, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE centre (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    full_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('province', 'commune')),
    "group" TEXT NOT NULL
) STRICT;

CREATE TABLE centre_pin (
    centre TEXT NOT NULL PRIMARY KEY REFERENCES centre (code),
    salt TEXT NOT NULL CHECK (length(salt) = 32),
    iterations INTEGER NOT NULL CHECK (iterations > 0),
    hash TEXT NOT NULL CHECK (length(hash) = 64),
    since TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE comment (
    number INTEGER NOT NULL PRIMARY KEY,
    response INTEGER REFERENCES response (number),
    conflict INTEGER REFERENCES conflict (number),
    item TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (response, item),
    UNIQUE (conflict, item),
    CHECK ((response IS NULL) <> (conflict IS NULL))
) STRICT;

CREATE TABLE conflict (
    number INTEGER NOT NULL PRIMARY KEY,
    uuid TEXT NOT NULL REFERENCES response (uuid),
    device TEXT NOT NULL REFERENCES device (id),
    seq INTEGER CHECK (seq > 0),
    received TEXT NOT NULL,
    content TEXT NOT NULL,
    content_sha256 TEXT NOT NULL CHECK (length(content_sha256) = 64),
    UNIQUE (uuid, content_sha256)
) STRICT;

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

CREATE TABLE device (
    id TEXT NOT NULL PRIMARY KEY,
    centre TEXT NOT NULL REFERENCES centre (code),
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    created TEXT NOT NULL,
    code_sha256 TEXT NOT NULL UNIQUE CHECK (length(code_sha256) = 64),
    code_expires TEXT NOT NULL,
    token_sha256 TEXT UNIQUE CHECK (length(token_sha256) = 64),
    enrolled TEXT,
    revoked TEXT,
    last_seen TEXT,
    last_seq INTEGER CHECK (last_seq >= 0), purpose TEXT NOT NULL DEFAULT 'counter' CHECK (purpose IN ('counter', 'sample')), app TEXT, offset_ms INTEGER,
    CHECK ((token_sha256 IS NULL) = (enrolled IS NULL))
) STRICT;

CREATE TABLE event (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail)),
    chain TEXT NOT NULL CHECK (length(chain) = 64)
) STRICT;

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

CREATE TABLE official (
    account TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('centre', 'commune', 'province')),
    centre TEXT REFERENCES centre (code),
    may_export INTEGER NOT NULL CHECK (may_export IN (0, 1)),
    created TEXT NOT NULL,
    disabled TEXT,
    CHECK ((role = 'province') = (centre IS NULL)),
    CHECK (may_export = 0 OR role = 'province')
) STRICT;

CREATE TABLE questionnaire (
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    content BLOB NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    PRIMARY KEY (id, version)
) STRICT;

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

CREATE TABLE register (
    import INTEGER NOT NULL REFERENCES event (number),
    centre TEXT NOT NULL REFERENCES centre (code),
    field TEXT NOT NULL REFERENCES service_field (code),
    month TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    channel TEXT NOT NULL CHECK (channel IN ('counter', 'online', 'post', 'all')),
    received INTEGER NOT NULL CHECK (received >= 0),
    resolved INTEGER NOT NULL CHECK (resolved >= 0),
    on_time INTEGER NOT NULL CHECK (on_time BETWEEN 0 AND resolved),
    PRIMARY KEY (month, import, centre, field, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE "response" (
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

CREATE TABLE service_field (
    code TEXT NOT NULL PRIMARY KEY,
    label TEXT NOT NULL CHECK (json_valid(label)),
    source TEXT NOT NULL,
    position INTEGER NOT NULL,
    offered INTEGER NOT NULL CHECK (offered IN (0, 1))
) STRICT;

CREATE TABLE wave (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('counter', 'sample')),
    title TEXT NOT NULL CHECK (json_valid(title)),
    questionnaire TEXT NOT NULL,
    version TEXT NOT NULL,
    months TEXT NOT NULL CHECK (json_valid(months)),
    rules TEXT NOT NULL CHECK (json_valid(rules)),
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    status TEXT NOT NULL CHECK (status IN ('planned', 'open', 'closed')),
    opened TEXT,
    closed TEXT,
    FOREIGN KEY (questionnaire, version) REFERENCES questionnaire (id, version),
    CHECK ((status = 'planned') = (opened IS NULL)),
    CHECK ((status = 'closed') = (closed IS NOT NULL)),
    CHECK (closed >= opened)
) STRICT;

CREATE TABLE wave_centre (
    wave TEXT NOT NULL REFERENCES wave (id),
    centre TEXT NOT NULL REFERENCES centre (code),
    PRIMARY KEY (wave, centre)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER answer_no_delete BEFORE DELETE ON answer
BEGIN SELECT RAISE(ABORT, 'answer rows are append-only'); END;

CREATE TRIGGER answer_no_update BEFORE UPDATE ON answer
BEGIN SELECT RAISE(ABORT, 'answer rows are append-only'); END;

CREATE TRIGGER comment_no_update BEFORE UPDATE ON comment
BEGIN SELECT RAISE(ABORT, 'a comment is kept or purged, never changed'); END;

CREATE TRIGGER conflict_no_delete BEFORE DELETE ON conflict
BEGIN SELECT RAISE(ABORT, 'conflict rows are append-only'); END;

CREATE TRIGGER conflict_no_update BEFORE UPDATE ON conflict
BEGIN SELECT RAISE(ABORT, 'conflict rows are append-only'); END;

CREATE TRIGGER contact_no_delete BEFORE DELETE ON contact
BEGIN SELECT RAISE(ABORT, 'contacts are never deleted'); END;

CREATE TRIGGER device_enrolled_once BEFORE UPDATE OF token_sha256, enrolled ON device
WHEN OLD.enrolled IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a device is enrolled once'); END;

CREATE TRIGGER device_fixed BEFORE UPDATE OF id, centre, simulated, created, purpose ON device
BEGIN SELECT RAISE(ABORT, 'a device belongs to one centre and one purpose for ever'); END;

CREATE TRIGGER device_no_delete BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'devices are never deleted'); END;

CREATE TRIGGER device_stays_revoked BEFORE UPDATE OF revoked ON device WHEN OLD.revoked IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a revoked device stays revoked'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'event rows are append-only'); END;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'event rows are append-only'); END;

CREATE TRIGGER frame_fixed BEFORE INSERT ON frame
WHEN (SELECT kind || ' ' || status FROM wave WHERE id = NEW.wave) <> 'sample planned'
BEGIN SELECT RAISE(ABORT, 'the frame of a sample wave is fixed once it has opened'); END;

CREATE TRIGGER frame_no_delete BEFORE DELETE ON frame
BEGIN SELECT RAISE(ABORT, 'frame rows are append-only'); END;

CREATE TRIGGER frame_no_update BEFORE UPDATE ON frame
BEGIN SELECT RAISE(ABORT, 'frame rows are append-only'); END;

CREATE TRIGGER questionnaire_no_delete BEFORE DELETE ON questionnaire
BEGIN SELECT RAISE(ABORT, 'questionnaire copies are append-only'); END;

CREATE TRIGGER questionnaire_no_update BEFORE UPDATE ON questionnaire
BEGIN SELECT RAISE(ABORT, 'questionnaire copies are append-only'); END;

CREATE TRIGGER reference_no_delete BEFORE DELETE ON reference
BEGIN SELECT RAISE(ABORT, 'reference rows are append-only'); END;

CREATE TRIGGER reference_no_update BEFORE UPDATE ON reference
BEGIN SELECT RAISE(ABORT, 'reference rows are append-only'); END;

CREATE TRIGGER register_no_delete BEFORE DELETE ON register
BEGIN SELECT RAISE(ABORT, 'register rows are append-only'); END;

CREATE TRIGGER register_no_update BEFORE UPDATE ON register
BEGIN SELECT RAISE(ABORT, 'register rows are append-only'); END;

CREATE TRIGGER response_no_delete BEFORE DELETE ON response
BEGIN SELECT RAISE(ABORT, 'response rows are append-only'); END;

CREATE TRIGGER response_no_update BEFORE UPDATE ON response
BEGIN SELECT RAISE(ABORT, 'response rows are append-only'); END;

CREATE TRIGGER wave_centre_fixed BEFORE INSERT ON wave_centre
WHEN (SELECT status FROM wave WHERE id = NEW.wave) <> 'planned'
BEGIN SELECT RAISE(ABORT, 'the centres of a wave are fixed once it has opened'); END;

CREATE TRIGGER wave_centre_no_delete BEFORE DELETE ON wave_centre
BEGIN SELECT RAISE(ABORT, 'the centres of a wave are fixed'); END;

CREATE TRIGGER wave_centre_no_update BEFORE UPDATE ON wave_centre
BEGIN SELECT RAISE(ABORT, 'the centres of a wave are fixed'); END;

CREATE TRIGGER wave_never_reopened BEFORE UPDATE OF status, opened, closed ON wave
WHEN NOT (OLD.status = 'planned' AND NEW.status = 'open'
          OR OLD.status = 'open' AND NEW.status = 'closed' AND NEW.opened = OLD.opened)
BEGIN SELECT RAISE(ABORT, 'a wave goes from planned to open to closed, once'); END;

CREATE TRIGGER wave_no_delete BEFORE DELETE ON wave
BEGIN SELECT RAISE(ABORT, 'waves are never deleted'); END;

CREATE TRIGGER wave_one_open_per_centre BEFORE UPDATE OF status ON wave
WHEN NEW.status = 'open' AND EXISTS (
    SELECT 1 FROM wave AS other
    JOIN wave_centre AS theirs ON theirs.wave = other.id
    JOIN wave_centre AS ours ON ours.centre = theirs.centre AND ours.wave = NEW.id
    WHERE other.status = 'open' AND other.kind = NEW.kind AND other.id <> NEW.id)
BEGIN SELECT RAISE(ABORT, 'a centre has at most one open wave of each kind'); END;

CREATE TRIGGER wave_rules_fixed BEFORE UPDATE OF id, kind, title, questionnaire, version, months, rules, simulated
ON wave WHEN OLD.status <> 'planned'
BEGIN SELECT RAISE(ABORT, 'what a wave is and its rules are fixed once it has opened'); END;

