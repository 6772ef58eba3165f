"""3,000 mutated requests over every route: the protocol answers each, and the store stays whole (`benchmarks.fuzz`)."""

import logging
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import fuzz
from benchmarks.mutants import Base, mutants
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.ground import tamper

REQUESTS = 3000
FRAMED = 200


def test_no_request_breaks_the_application(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = fuzz.make_ground(tmp_path / "instance")
    bases, findings = fuzz.make_bases(settings), fuzz.Findings()
    caplog.set_level(logging.ERROR)
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer, development_http=True)
        for mutant in fuzz.requests(bases, REQUESTS, seed=1):
            findings.judge(mutant, fuzz.put(app, mutant))
    fuzz.examine(settings, findings)
    assert findings.wrong == [] and caplog.messages == []
    assert {route for route, _ in findings.counts} == {rule.rule for rule in app.url_map.iter_rules()}
    statuses = Counter(status for _, status in findings.counts.elements())
    assert {200, 303, 400, 401, 403, 404, 405, 413, 415, 422} <= set(statuses)
    with Store.open(settings, write=False) as store:
        assert all(store.response_count(wave) > 10 for wave in fuzz.FORMS), "enough was right to be stored"


def test_no_framing_breaks_the_server(tmp_path: Path) -> None:
    findings = fuzz.fuzz(fuzz.make_ground(tmp_path / "instance"), FRAMED, seed=1)
    assert findings.wrong == []
    assert sum(findings.counts.values()) == FRAMED


# ---- that the test can fail


def test_the_same_seed_makes_the_same_requests() -> None:
    bases = [Base("/", "GET", "/", query=[("size", "2")]), Base("/x", "POST", "/x", json={"a": [1, {"b": 2}]})]
    first, again, other = (list(mutants(bases, 200, seed, framed=True)) for seed in (1, 1, 2))
    assert first == again != other
    assert [one.raw(random.Random(3)) for one in first] == [one.raw(random.Random(3)) for one in again]
    assert {one.framing for one in first} == {"length", "chunked", "short", "broken"}


@pytest.mark.parametrize(
    "answer",
    [
        fuzz.Answer(500, fuzz.SAFE, b""),
        fuzz.Answer(503, fuzz.SAFE, b""),
        fuzz.Answer(200, fuzz.SAFE, b"Traceback (most recent call last)"),
        fuzz.Answer(200, {}, b""),
        fuzz.Answer(0, {}, b""),
        fuzz.Answer(-1, {}, b""),
    ],
)
def test_an_answer_that_must_not_be_is_found(answer: fuzz.Answer) -> None:
    findings = fuzz.Findings()
    (mutant,) = mutants([Base("/", "GET", "/")], 1, seed=1)
    findings.judge(mutant, fuzz.Answer(200, fuzz.SAFE, b"well"))
    assert findings.wrong == []
    findings.judge(mutant, answer)
    assert len(findings.wrong) == 1


def test_a_store_that_lost_or_gained_a_response_is_found(tmp_path: Path) -> None:
    settings = fuzz.make_ground(tmp_path / "instance")
    bases, findings = fuzz.make_bases(settings), fuzz.Findings()
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer, development_http=True)
        sent = [base for base in bases if base.route == "/api/v1/responses"][:8]
        for mutant in fuzz.requests(sent, 200, seed=1):
            findings.judge(mutant, fuzz.put(app, mutant))
    fuzz.examine(settings, findings)
    assert findings.wrong == [] and findings.stored
    some = min(findings.stored)
    findings.stored.remove(some)
    fuzz.examine(settings, findings)
    assert any("stored and not acknowledged" in one for one in findings.wrong)
    findings.stored |= {some, "another"}
    tamper(settings, "UPDATE answer SET code = 5 WHERE code = 1")
    fuzz.examine(settings, findings)
    assert any("acknowledged and not stored" in one for one in findings.wrong)
    assert any(one.startswith("verify:") for one in findings.wrong)
