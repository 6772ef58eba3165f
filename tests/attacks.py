"""The attacks of tests/test_tampering.py: a name, the deed, and the words that `sipas verify` must say (`what | where`)."""

from pathlib import Path

from survey_app.ledger import content_hash
from tests.insider import Deed, Insider

# ---- single rows changed, hashes left alone

COLUMNS = {
    "uuid": ("'11111111-1111-4111-8111-111111111111'", "the columns uuid are not what its content says"),
    "number": ("999", "was changed, or inserted"),
    "wave": ("'q9'", "1 responses were removed"),
    "position": ("99", "1 responses were removed"),
    "centre": ("'TINH'", "its centre is not that of its device"),
    "field": ("'dat-dai'", "the columns field are not what its content says"),
    "device": ("'00691-2'", "was changed, or inserted"),
    "seq": ("88", "the columns seq are not what its content says"),
    "questionnaire": ("'wide'", "the columns questionnaire are not what its content says"),
    "version": ("'2'", "the columns version are not what its content says"),
    "language": ("'en'", "the columns language are not what its content says"),
    "mode": ("'paper'", "the columns mode are not what its content says"),
    "recruitment": ("'invited'", "the columns recruitment are not what its content says"),
    "disposition": ("'broken_off'", "the columns disposition are not what its content says"),
    "psu": ("'V01'", "the columns psu are not what its content says"),
    "part": ("'{\"A\":[1,3]}'", "the columns part are not what its content says"),
    "started": ("'2026-10-05T04:00:00.000Z'", "the columns started are not what its content says"),
    "submitted": ("'2026-10-06T05:00:00.000Z'", "the columns submitted are not what its content says"),
    "received": ("'2026-10-04T05:00:00.000Z'", "was changed, or inserted"),
    "offset_ms": ("60000", "was changed, or inserted"),
    "local_day": ("'2026-10-06'", "was changed, or inserted"),
    "late": ("1", "was changed, or inserted"),
    "after_close": ("1", "was changed, or inserted"),
    "clock": ("1", "was changed, or inserted"),
    "content": (
        "replace(content, '\"II.A1\":4', '\"II.A1\":5')",
        "its content does not have the hash it was stored with",
    ),
    "content_sha256": (f"'{'a' * 64}'", "its content does not have the hash it was stored with"),
    "chain": (f"'{'b' * 64}'", "was changed, or inserted"),
}


def sql(*statements: str) -> Deed:
    return lambda insider: insider.do(*statements)


def set_column(column: str, value: str) -> Deed:
    return sql(f"UPDATE response SET {column} = {value} WHERE wave = 'q4' AND position = 3")


def both(*deeds: Deed) -> Deed:
    def all_of_them(insider: Insider) -> None:
        for deed in deeds:
            deed(insider)

    return all_of_them


NEW = "22222222-2222-4222-8222-222222222222"
INVENTED = {"submitted": "2026-10-05T05:30:00.000Z", "started": "2026-10-05T05:28:00.000Z"}
THIRD = "(SELECT number FROM response WHERE wave = 'q4' AND position = 3)"
SIXTH = "(SELECT number FROM response WHERE wave = 'q4' AND position = 6)"

RESPONSES: list[tuple[str, Deed, str]] = [
    *((f"response: {column} changed", set_column(column, value), said) for column, (value, said) in COLUMNS.items()),
    ("response: first deleted", lambda i: i.remove(1), "1 responses were removed | wave q4, position 1"),
    ("response: one deleted", lambda i: i.remove(3), "1 responses were removed | wave q4, position 3"),
    ("response: a run deleted", lambda i: i.remove(3, 4, 5), "3 responses were removed | wave q4, positions 3 to 5"),
    ("response: last deleted", lambda i: i.remove(9), "the last 1 responses were cut off | wave q4, positions 9 to 9"),
    ("response: tail cut off", lambda i: i.remove(7, 8, 9), "the last 3 responses were cut off | wave q4, positions 7 to 9"),
    ("response: all deleted", lambda i: i.remove(*range(1, 10)), "the last 9 responses were cut off | wave q4, positions 1 to 9"),
    ("response: one deleted, rest renumbered", lambda i: (i.remove(3), i.close_gaps()), "were changed, inserted or renumbered"),
    ("response: two swapped", lambda i: i.swap(3, 4), "were changed, inserted or renumbered | wave q4, positions 3 to 5"),
    ("response: copied to the end", lambda i: i.insert(10, uuid=NEW, changes={}), f"response {NEW} was changed, or inserted"),
    ("response: invented in the middle", lambda i: (i.make_room(4), i.insert(4, uuid=NEW, changes=INVENTED)), f"response {NEW}"),
    ("answer: changed", sql(f"UPDATE answer SET code = 5 WHERE item = 'II.A1' AND response = {THIRD}"), "the answers to II.A1 are not"),
    ("answer: renamed", sql(f"UPDATE answer SET item = 'II.Z9' WHERE item = 'II.A1' AND response = {THIRD}"), "the answers to II.A1, II.Z9"),
    ("answer: deleted", sql(f"DELETE FROM answer WHERE item = 'II.A1' AND response = {THIRD}"), "the answers to II.A1 are not"),
    ("answer: added", sql(f"INSERT INTO answer VALUES ({THIRD}, 'II.A1', 5)"), "the answers to II.A1 are not"),
    ("answer: of no response", sql("INSERT INTO answer VALUES (999, 'II.A1', 5)"), "1 rows of answer name no response"),
    ("comment: changed", sql(f"UPDATE comment SET text = 'rất tốt' WHERE response = {SIXTH}"), "the text of COMMENT is not the one that was given"),
    ("comment: removed by hand", sql(f"DELETE FROM comment WHERE response = {SIXTH}"), "the text of COMMENT was removed: no purge"),
    ("comment: added", sql("INSERT INTO comment (response, item, text) VALUES (2, 'COMMENT', 'x')"), "a text of COMMENT was added"),
    ("comment: moved", sql(f"UPDATE comment SET response = 2 WHERE response = {SIXTH}"), "a text of COMMENT was added"),
    ("comment: another after the purge", sql("INSERT INTO comment (response, item, text) VALUES (1, 'COMMENT', 'x')"), "is not the one that was given"),
]  # fmt: skip

TABLES: list[tuple[str, Deed, str]] = [
    ("conflict: removed", sql("DELETE FROM comment WHERE conflict = 1", "DELETE FROM conflict"), "a conflicting content was removed"),
    ("conflict: content changed", sql("UPDATE conflict SET content = replace(content, '\"II.A1\":1', '\"II.A1\":4')"), "a conflicting content was changed"),
    ("conflict: uuid changed", sql("UPDATE conflict SET uuid = (SELECT uuid FROM response WHERE position = 1 LIMIT 1)"), "a conflicting content was inserted"),
    ("conflict: device changed", sql("UPDATE conflict SET device = '00694-1'"), "the columns device are not what the audit and its content say"),
    ("conflict: seq changed", sql("UPDATE conflict SET seq = 70"), "the columns seq are not what the audit and its content say"),
    ("conflict: time changed", sql("UPDATE conflict SET received = '2026-10-01T00:00:00.000Z'"), "the columns received are not"),
    ("conflict: its comment changed", sql("UPDATE comment SET text = 'x' WHERE conflict = 1"), "the text of COMMENT is not the one"),
    ("conflict: its comment removed", sql("DELETE FROM comment WHERE conflict = 1"), "the text of COMMENT was removed: no purge"),
    ("conflict: invented", sql("INSERT INTO conflict SELECT 2, uuid, device, seq, received, '{}', '" + "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" + "' FROM conflict"), "a conflicting content was inserted"),
    ("event: changed", sql("UPDATE event SET detail = replace(detail, '9', '8') WHERE kind = 'rejected'"), "(rejected) was changed, or inserted"),
    ("event: time changed", sql("UPDATE event SET at = '2020-01-01T00:00:00.000Z' WHERE number = 3"), "event 3 (wave_created) was changed"),
    ("event: deleted", sql("DELETE FROM event WHERE kind = 'rejected'"), "1 events were removed | audit, position"),
    ("event: last deleted", sql("DELETE FROM event WHERE number = (SELECT max(number) FROM event)"), "the last 1 events were cut off"),
    ("event: inserted at the end", sql("INSERT INTO event SELECT number + 1, at, kind, detail, chain FROM event ORDER BY number DESC LIMIT 1"), "was changed, or inserted"),
    ("wave: rules", sql("UPDATE wave SET rules = replace(rules, '85', '80') WHERE id = 'q4'"), "rules of a wave was changed after its creation | wave q4"),
    ("wave: months", sql("UPDATE wave SET months = '[\"2026-09\"]' WHERE id = 'q4'"), "months of a wave was changed after its creation | wave q4"),
    ("wave: title", sql("UPDATE wave SET title = '{\"vi\":\"x\",\"en\":\"x\"}' WHERE id = 'q4'"), "title of a wave was changed after its creation | wave q4"),
    ("wave: kind", sql("UPDATE wave SET kind = 'sample' WHERE id = 'q4'"), "kind of a wave was changed after its creation | wave q4"),
    ("wave: simulated", sql("UPDATE wave SET simulated = 0 WHERE id = 'q4'"), "simulated of a wave was changed after its creation | wave q4"),
    ("wave: centre removed", sql("DELETE FROM wave_centre WHERE wave = 'q4' AND centre = 'TINH'"), "centres of a wave was changed after its creation | wave q4"),
    ("wave: opened earlier", sql("UPDATE wave SET opened = '2026-01-01T00:00:00.000Z' WHERE id = 'q4'"), "the audit knows another time for wave_opened | wave q4"),
    ("wave: closed", sql("UPDATE wave SET status = 'closed', closed = opened WHERE id = 'q4'"), "the audit knows another time for wave_closed | wave q4"),
    ("wave: back to planned", sql("UPDATE wave SET status = 'planned', opened = NULL WHERE id = 'q4'"), "the audit knows another time for wave_opened | wave q4"),
    ("wave: removed", sql("DELETE FROM answer", "DELETE FROM comment", "DELETE FROM conflict", "DELETE FROM response", "DELETE FROM wave_centre", "DELETE FROM wave"), "a wave was removed: the audit knows it | wave q4"),
    ("wave: inserted", sql("INSERT INTO wave SELECT 'neu', kind, title, questionnaire, version, months, rules, simulated, status, opened, closed FROM wave WHERE id = 'q4'"), "a wave was inserted: the audit does not know it | wave neu"),
    ("form: changed", sql("UPDATE questionnaire SET content = CAST(content || char(10) AS BLOB)"), "the copy of a questionnaire was changed"),
    ("form: changed with its hash", lambda i: form_with_hash(i), "the wave's form is not the one it was created with"),
    ("frame: probability", sql("UPDATE frame SET probability = 0.5 WHERE psu = 'V01'"), "the frame of a wave was changed after its creation | wave mau"),
    ("frame: stratum", sql("UPDATE frame SET stratum = 'biển' WHERE psu = 'V01'"), "the frame of a wave was changed after its creation | wave mau"),
    ("frame: village added", sql("INSERT INTO frame VALUES ('mau', 'V03', 'núi', '', 10, 0.5, 1, 3)"), "the frame of a wave was changed after its creation | wave mau"),
    ("frame: village removed", sql("DELETE FROM frame WHERE psu = 'V02'"), "the frame of a wave was changed after its creation | wave mau"),
    ("register: changed", sql("UPDATE register SET on_time = 80"), "register rows of r.csv were changed, removed or inserted"),
    ("register: removed", sql("DELETE FROM register"), "register rows of r.csv were changed, removed or inserted"),
    ("register: inserted", sql("INSERT INTO register VALUES (1, '00694', 'dat-dai', '2026-10', 'all', 9, 9, 9)"), "register rows were inserted: the audit knows no such import"),
    ("figure: changed", sql("UPDATE reference SET value = '93.94'"), "reference rows of f.csv were changed, removed or inserted"),
    ("figure: removed", sql("DELETE FROM reference"), "reference rows of f.csv were changed, removed or inserted"),
    ("centre: moved to another group", sql("UPDATE centre SET \"group\" = 'g2' WHERE code = 'TINH'"), "the list of centres was changed since its last import"),
    ("centre: renamed", sql("UPDATE centre SET name = 'x' WHERE code = 'TINH'"), "the list of centres was changed since its last import"),
    ("field: renamed", sql("UPDATE service_field SET label = '{\"vi\":\"x\",\"en\":\"x\"}' WHERE code = 'ho-tich'"), "the list of service fields was changed since its last import"),
    ("field: withdrawn", sql("UPDATE service_field SET offered = 0 WHERE code = 'ho-tich'"), "the list of service fields was changed since its last import"),
    ("device: moved to another centre", sql("UPDATE device SET centre = 'TINH' WHERE id = '00691-2'"), "centre of a device is not what the audit says | device 00691-2"),
    ("device: made real", sql("UPDATE device SET simulated = 0 WHERE id = '00691-2'"), "simulated of a device is not what the audit says"),
    ("device: another purpose", sql("UPDATE device SET purpose = 'sample' WHERE id = '00691-2'"), "purpose of a device is not what the audit says"),
    ("device: created at another time", sql("UPDATE device SET created = '2020-01-01T00:00:00.000Z' WHERE id = '00691-2'"), "created of a device is not"),
    ("device: code exchanged", sql(f"UPDATE device SET code_sha256 = '{'c' * 64}' WHERE id = '00691-2'"), "code_sha256 of a device is not what the audit says"),
    ("device: token exchanged", sql(f"UPDATE device SET token_sha256 = '{'c' * 64}' WHERE id = '00691-1'"), "token_sha256 of a device is not what the audit says"),
    ("device: enrolled by hand", sql(f"UPDATE device SET token_sha256 = '{'c' * 64}', enrolled = created WHERE id = '00691-2'"), "a device was enrolled behind the program's back"),
    ("device: enrolment taken back", sql("UPDATE device SET token_sha256 = NULL, enrolled = NULL WHERE id = '00691-1'"), "a device is not enrolled any more: the audit says it was"),
    ("device: un-revoked", sql("UPDATE device SET revoked = NULL WHERE id = '00694-1'"), "a device is not revoked any more: the audit says it was | device 00694-1"),
    ("device: revoked by hand", sql("UPDATE device SET revoked = created WHERE id = '00691-2'"), "a device was revoked behind the program's back"),
    ("contact: of another day", sql("UPDATE contact SET day = '2026-01-01' WHERE device = '00691-1' AND day = (SELECT min(day) FROM contact)"), "the contacts of a device were altered: they do not lie on the day they are counted for | device 00691-1"),
    ("contact: after the last one", sql("UPDATE contact SET last = replace(last, 'T05:00', 'T16:59') WHERE device = '00691-1'"), "the contacts of a device were altered: there is a later one than the last that was noted with it | device 00691-1"),
    ("contact: of a device never enrolled", sql("INSERT INTO contact SELECT '00691-2', day, 1, first, last, NULL, NULL FROM contact LIMIT 1", "UPDATE device SET last_seen = '2027-01-01T00:00:00.000Z' WHERE id = '00691-2'"), "the contacts of a device were altered: it was never enrolled | device 00691-2"),
    ("contact: of no device", sql("INSERT INTO contact SELECT 'x', day, 1, first, last, NULL, NULL FROM contact LIMIT 1"), "1 rows of contact name no device"),
    ("PIN: exchanged", sql(f"UPDATE centre_pin SET hash = '{'c' * 64}'"), "the PIN of a centre is not the one that was set | centre 00691"),
    ("PIN: easier to try", sql("UPDATE centre_pin SET iterations = 1"), "the PIN of a centre is not the one that was set | centre 00691"),
    ("PIN: removed by hand", sql("DELETE FROM centre_pin"), "the PIN of a centre is not the one that was set | centre 00691"),
    ("PIN: given by hand", sql("INSERT INTO centre_pin SELECT 'TINH', salt, iterations, hash, since FROM centre_pin"), "the PIN of a centre is not the one that was set | centre TINH"),
    ("device: inserted", sql(f"INSERT INTO device (id, centre, simulated, created, code_sha256, code_expires) VALUES ('TINH-9', 'TINH', 0, 'x', '{'d' * 64}', 'x')"), "a device was inserted: the audit does not know it"),
    ("device: removed", sql("DELETE FROM device WHERE id = '00691-2'"), "a device was removed: the audit knows it | device 00691-2"),
    ("account: inserted", sql("INSERT INTO official VALUES ('me', 'x', 'province', NULL, 1, 'x', NULL)"), "an account was inserted: the audit does not know it | account me"),
    ("schema: guard dropped", lambda i: i.schema("DROP TRIGGER answer_no_update"), "the schema was altered: trigger answer_no_update is missing"),
    ("schema: guard softened", lambda i: (i.schema("DROP TRIGGER answer_no_update"), i.schema("CREATE TRIGGER answer_no_update BEFORE UPDATE ON answer BEGIN SELECT 1; END")), "trigger answer_no_update is not as it was made"),
    ("schema: table added", lambda i: i.schema("CREATE TABLE mine (x)"), "table mine does not belong there"),
    ("schema: trigger added", lambda i: i.schema("CREATE TRIGGER t AFTER INSERT ON answer BEGIN SELECT 1; END"), "trigger t does not belong there"),
    ("schema: index dropped", lambda i: i.schema("DROP INDEX response_device_seq"), "index response_device_seq is missing"),
    ("schema: view added", lambda i: i.schema("CREATE VIEW v AS SELECT 1"), "view v does not belong there"),
]  # fmt: skip


def form_with_hash(insider: Insider) -> None:
    (content,) = insider.rows("SELECT content FROM questionnaire")[0]
    with insider.unguarded() as connection:
        connection.execute(
            "UPDATE questionnaire SET content = ?, sha256 = ?", (content + b"\n", content_hash(content + b"\n"))
        )


# ---- the clever insider: every hash computed anew


def no_conflict(insider: Insider) -> None:
    insider.do(
        "DELETE FROM comment WHERE conflict = 1", "DELETE FROM conflict", "DELETE FROM event WHERE kind = 'conflict'"
    )
    insider.rechain_audit()


def no_wave(insider: Insider) -> None:
    insider.do(
        "DELETE FROM comment", "DELETE FROM conflict", "DELETE FROM answer", "DELETE FROM response", "DELETE FROM frame",
        "DELETE FROM wave_centre", "DELETE FROM wave",
        "DELETE FROM event WHERE kind LIKE 'wave%' OR kind IN ('conflict', 'extract')",
    )  # fmt: skip
    insider.rechain_audit()


def other_rules(insider: Insider) -> None:
    insider.do(
        "UPDATE wave SET rules = replace(rules, '85', '80') WHERE id = 'q4'",
        "UPDATE event SET detail = replace(detail, '85', '80') WHERE kind = 'wave_created'",
    )
    insider.rechain_audit()


def other_device(insider: Insider) -> None:
    insider.do(
        "UPDATE device SET revoked = NULL WHERE id = '00694-1'", "DELETE FROM event WHERE kind = 'device_revoked'"
    )
    insider.rechain_audit()


CLEVER: list[tuple[str, Deed, str]] = [
    ("rewritten: an answer", lambda i: i.better_answer(), "the chain was rewritten | wave q4, positions 3 to 3; heads.log line"),
    ("rewritten: a comment", lambda i: i.other_comment(), "the chain was rewritten | wave q4"),
    ("rewritten: one deleted", lambda i: (i.remove(3), i.close_gaps(), i.rechain()), "the chain was rewritten | wave q4, positions 3 to 3"),
    ("rewritten: first deleted", lambda i: (i.remove(1), i.close_gaps(), i.rechain()), "the last 1 responses were cut off"),
    ("rewritten: tail cut off", lambda i: (i.remove(8, 9), i.rechain()), "the last 2 responses were cut off | wave q4, positions 8 to 9; known to heads.log"),
    ("rewritten: one invented", lambda i: (i.make_room(4), i.insert(4, uuid=NEW, changes=INVENTED), i.rechain()), "the chain was rewritten | wave q4, positions 4 to 4"),
    ("rewritten: one added at the end", lambda i: (i.insert(10, uuid=NEW, changes=INVENTED), i.rechain()), "1 responses at the end are unknown to heads.log: inserted"),
    ("rewritten: two swapped", lambda i: (i.swap(3, 4), i.rechain()), "the chain was rewritten | wave q4, positions 3 to 3"),
    ("rewritten: conflict and its event removed", no_conflict, "the chain was rewritten | audit"),
    ("rewritten: wave and its events removed", no_wave, "wave 'q4' was removed: heads.log line"),
    ("rewritten: rules and their event", other_rules, "the chain was rewritten | audit, positions"),
    ("rewritten: revocation removed", other_device, "the chain was rewritten | audit"),
    ("rewritten, heads.log too", lambda i: (i.better_answer(), i.rewrite_log()), "the chain was rewritten | wave q4, positions 1 to 8; extract"),
    ("cut off, heads.log too", lambda i: (i.remove(7, 8, 9), i.rewrite_log()), "the last 2 responses were cut off | wave q4, positions 7 to 8; known to extract"),
    ("rewritten, heads.log and extracts too", lambda i: (i.better_answer(), i.rewrite_log(), i.remove_extracts()), "the chain was rewritten | wave q4, positions 1 to 8; backup"),
    ("heads.log removed", lambda i: i.settings.heads_log.unlink(), "9 responses at the end are unknown to heads.log"),
    ("heads.log: one line changed", lambda i: i.settings.heads_log.write_text(i.settings.heads_log.read_text().replace("\tq4\t3\t", "\tq4\t2\t")), "the chain was rewritten"),
    ("heads.log: rubbish", lambda i: i.settings.heads_log.write_text("?\n" + i.settings.heads_log.read_text()), "a line of heads.log cannot be read"),
    ("extract: changed", lambda i: flip(next(i.settings.extracts.glob("*/*/responses.parquet"))), "responses.parquet of an extract was changed"),
    ("extract: manifest changed", lambda i: flip(next(i.settings.extracts.glob("*/*/manifest.json"))), "the manifest of an extract was changed"),
]  # fmt: skip


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


ATTACKS = RESPONSES + TABLES + CLEVER


def everything(insider: Insider) -> None:
    insider.better_answer()
    insider.rewrite_log()
    insider.remove_extracts()
    insider.remove_backups()


def cut_everywhere(insider: Insider) -> None:
    insider.remove(8, 9)
    insider.rewrite_log()
    insider.remove_extracts()
    insider.remove_backups()


ALL_WITNESSES: list[tuple[str, Deed, str]] = [
    ("rewritten, and every witness", everything, "the chain was rewritten | wave q4, positions 1 to 9; --head knew another head"),
    ("cut off, and every witness", cut_everywhere, "the last 2 responses were cut off | wave q4, positions 8 to 9; known to --head"),
]  # fmt: skip
