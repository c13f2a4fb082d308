"""What is wrong, too much or not allowed gets a clear 4xx, and never a 5xx."""

import base64
import copy
import json
from dataclasses import replace

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sounds import RATE, file_of
from starlette.testclient import TestClient, WebSocketDenialResponse

from longshort.data.midi import score_of
from longshort.errors import InputError
from longshort.serve import Limits, create_app, serve
from longshort.serve.runs import load_runs

JSON = {"content-type": "application/json"}
NEXT, PREDICT, JUDGE = "/runs/language/next", "/runs/forecast/predict", "/runs/classify/predict"
HEAR, COMPOSE, ROLLS = "/runs/transcribe/predict", "/runs/compose/compose", "/runs/rolls/compose"
TONE = np.sin(np.arange(RATE)) / 2


def midi(notes):
    """A body with a tune to go on from."""
    held = score_of(np.array(notes, dtype=np.float64), 120).dumps_midi()
    return json.dumps({"midi": base64.b64encode(held).decode()}).encode()


def series(**fields):
    return json.dumps({"series": [{"id": "y", **fields}]})


@pytest.mark.parametrize(
    ("path", "content", "status", "what"),
    [
        (NEXT, b"", 422, ""),
        (NEXT, b"{", 400, "not JSON"),
        (NEXT, b'{"prompt": "\xff\xfe"}', 400, "not JSON in UTF-8"),
        (NEXT, b"[" * 200_000, 400, "nested too deeply"),
        (NEXT, b'{"prompt": ' + b"[" * 900 + b"]" * 900 + b"}", 422, "prompt: Input should be a valid string"),
        (NEXT, b'{"prompt": "\\ud800"}', 422, "prompt"),
        (NEXT, b'{"\\ud800": 1}', 422, "valid string"),
        (NEXT, b'{"prompt": "a", "k": 1e400}', 422, "k: "),
        (NEXT, b'{"k": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        (NEXT, b'{"prompt": "' + b"a" * 20_001 + b'"}', 422, "at most 20000 characters"),
        ("/runs/words/next", b'{"prompt": " "}', 422, "the text holds no token"),
        (PREDICT, series(y=[1]).replace("1", "NaN").encode(), 422, "series.0.y.0: Input should be a finite number"),
        (PREDICT, series(y=[1]).replace("1", "-Infinity").encode(), 422, "finite number"),
        (PREDICT, series(y=[1e300]).encode(), 422, "series.0.y.0"),
        (PREDICT, series(y=[1.0], start="2024-04-30T12:00").encode(), 422, "lies off the daily grid"),
        (PREDICT, series(y=[1.0], start="tomorrow").encode(), 422, "write it like 2025-01-31"),
        (PREDICT, series(y=[1.0], start="9999-12-31").encode(), 422, "steps from its last value"),
        (PREDICT, series(y=[1.0], start=7).encode(), 422, "start must be a time"),
        (PREDICT, series(y=[1.0], past={"price": [1.0]}).encode(), 422, "there is no column 'price'"),
        (PREDICT, b'{"series": [{"id": "nobody"}]}', 422, "'nobody' is not known"),
        (JUDGE, b'{"texts": []}', 422, "at least 1 item"),
        (JUDGE, json.dumps({"texts": ["a"] * 65}).encode(), 422, "at most 64"),
        ("/runs/language/generate", b'{"length": 100000}', 422, "length"),
        ("/runs/language/generate", b'{"top_p": 0}', 422, "top_p"),
        ("/runs/chat/reply", b'{"turns": []}', 422, "turns"),
        (COMPOSE, b'{"bars": 65}', 422, "bars: Input should be less than or equal to 64"),
        (COMPOSE, b'{"tempo": 0}', 422, "tempo"),
        (COMPOSE, b'{"key": "H"}', 422, "'H' is no key: give one such as D"),
        (COMPOSE, b'{"instruments": [128]}', 422, "instruments.0"),
        (ROLLS, b'{"top_k": 3}', 422, "the run learnt from piano rolls: leave them out"),
        (COMPOSE, b'{"midi": "TVRoZA"}', 422, "midi: no base64"),
        (COMPOSE, b'{"midi": "TVRoZA=="}', 422, "the MIDI file cannot be read"),
        (ROLLS, b'{"midi": ""}', 422, "the MIDI file cannot be read (empty)"),
        (COMPOSE, b'{"midi": "bGEgbGE="}', 422, "the MIDI file cannot be read (not a MIDI file)"),
        (COMPOSE, midi([(0, 1, 5, 0)]), 422, "no note in it is on the keys of a piano"),
        (ROLLS, midi([(0, 1, 5, 0)]), 422, "no note in it is on the keys of a piano"),
        (ROLLS, midi([(0, 2000, 60, 0)]), 422, "1 notes over 2,000 quarter notes, at most 2,000 over 1,000"),
        (COMPOSE, midi([(k / 8, 0.1, 60, 0) for k in range(2001)]), 422, "the tune has 2,001 notes over 250 quarter"),
    ],
)  # fmt: skip
def test_wrong_bodies(app, ask, path, content, status, what):
    (answer,) = ask(app, ("POST", path, {"content": content, "headers": JSON}))
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert what in answer.json()["error"]
    assert len(answer.content) < 1000


@pytest.mark.parametrize(
    ("content", "kind", "status", "what"),
    [
        (file_of(TONE), "application/json", 415, "the body must be a recording: Content-Type: audio/wav, audio/flac"),
        (file_of(TONE), "video/mp4", 415, "the body must be a recording"),
        (file_of(TONE), "audio/flac", 422, "the sound is WAV, its Content-Type says FLAC: say audio/wav"),
        (file_of(TONE, "flac"), "audio/ogg; codecs=opus", 422, "the sound is FLAC, its Content-Type says OGG"),
        (b"", "audio/wav", 422, "the file is empty"),
        (b"RIFF\x00\x00", "audio/wav", 422, "the sound cannot be read as audio"),
        (b"Ding. Dong.", "audio/wav", 422, "the sound cannot be read as audio"),
        (file_of(TONE)[:-100], "audio/wav", 422, "the sound: cut off"),
        (file_of(TONE, "flac")[:-900], "audio/flac", 422, "the sound: damaged, or not whole"),
        (file_of(0 * TONE), "audio/wav", 422, "nothing but silence"),
        (file_of(TONE[:0]), "audio/wav", 422, "nothing but silence"),
        (file_of(np.resize(TONE, 121 * RATE), "flac"), "audio/flac", 422, "lasts 121.0 s, at most 120 s are heard"),
        (file_of(np.stack([TONE] * 9, 1)), "audio/wav", 422, "9 channels of 8,000 samples a second"),
        (file_of(TONE, rate=2000), "audio/wav", 422, "1 channels of 2,000 samples a second"),
        (file_of(TONE * np.nan, subtype="FLOAT"), "audio/wav", 422, "samples that are no numbers"),
    ],
)
def test_wrong_recordings(app, ask, content, kind, status, what):
    right = ("POST", HEAR, {"content": file_of(TONE), "headers": {"content-type": "audio/x-wav"}})
    answer, beside = ask(app, ("POST", HEAR, {"content": content, "headers": {"content-type": kind}}), right)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert what in answer.json()["error"]
    assert beside.status_code == 200  # whoever is computed with it is answered


def test_a_run_of_features_takes_no_sound(runs, ask):
    model = copy.copy(runs["transcribe"].model)
    plan = model.fitted.plan
    model._fitted = replace(model.fitted, plan=replace(plan, features=replace(plan.features, rate=0)))
    app = create_app([replace(runs["transcribe"], model=model)])
    (answer,) = ask(app, ("POST", HEAR, {"content": file_of(TONE), "headers": {"content-type": "audio/wav"}}))
    assert answer.status_code == 422
    assert "trained on features that were computed elsewhere" in answer.json()["error"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(["wav", "flac", "ogg"]),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=9),
    end=st.integers(0, 6000),
)
def test_damaged_recordings_are_heard_or_refused(app, ask, kind, changes, end):
    content = bytearray(file_of(TONE[:2000], kind))
    for place, value in changes:
        content[place % len(content)] = value
    (answer,) = ask(
        app, ("POST", HEAR, {"content": bytes(content[:end]), "headers": {"content-type": f"audio/{kind}"}})
    )
    assert answer.status_code in (200, 422), answer.text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.sampled_from([COMPOSE, ROLLS]),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damaged_tunes_are_read_or_refused(app, ask, path, changes):
    content = bytearray(score_of(np.array([(k / 2, 0.5, 60 + k, 0) for k in range(12)]), 120).dumps_midi())
    for place, value in changes:
        content[place % len(content)] = value
    sent = base64.b64encode(bytes(content)).decode()
    (answer,) = ask(app, ("POST", path, {"json": {"midi": sent, "bars": 1}}))
    assert answer.status_code in (200, 422), answer.text


def test_parameters_and_sizes_of_recordings(service, ask):
    app = service(only=["transcribe"], audio_bytes=30_000, body_bytes=100)
    wave = {"headers": {"content-type": "audio/wav"}, "content": file_of(TONE)}
    long = {**wave, "content": file_of(np.resize(TONE, 2 * RATE))}
    answers = ask(
        app,
        ("POST", HEAR, wave),
        ("POST", HEAR, long),
        *(
            ("POST", f"{HEAR}?{query}", wave)
            for query in ("beam=0", "beam=17", "beam=x", "frames=3", "file=/etc/passwd")
        ),
    )
    assert [answer.status_code for answer in answers] == [200, 413, 422, 422, 422, 422, 422]
    assert answers[-1].json() == {"error": "file: Extra inputs are not permitted"}


def test_a_tune_that_takes_too_long(service, ask):
    app = service(only=["compose"], request_seconds=0.05, generations=1)
    wanted = ("POST", COMPOSE, {"json": {"bars": 64}})
    first, second = ask(app, wanted, wanted)
    assert sorted([first.status_code, second.status_code]) == [429, 503]
    assert ask(app, ("POST", COMPOSE, {"json": {"bars": 1, "seed": 1}}))[0].status_code in (200, 503)


def test_numbers_at_the_edge_are_answered_or_refused(app, ask):
    for value in (1e30, -1e30, 1e-300, 0.0):
        (answer,) = ask(app, ("POST", PREDICT, {"json": {"series": [{"id": "a", "y": [value, -value, None, value]}]}}))
        assert answer.status_code in (200, 422), answer.text


def test_wrong_types_sizes_and_places(service, ask):
    app = service(body_bytes=1000)
    big = json.dumps({"prompt": "a" * 1000}).encode()

    async def chunks():
        for begin in range(0, len(big), 100):
            yield big[begin : begin + 100]

    statuses = [
        answer.status_code
        for answer in ask(
            app,
            ("POST", NEXT, {"content": b"prompt=a", "headers": {"content-type": "application/x-www-form-urlencoded"}}),
            ("POST", NEXT, {"content": b"{}"}),
            ("POST", NEXT, {"content": big, "headers": JSON}),
            ("POST", NEXT, {"content": chunks(), "headers": JSON}),
            ("GET", NEXT, {}),
            ("GET", "/runs/nobody", {}),
            ("GET", "/page/..%2F..%2Flimits.py", {}),
            ("GET", "/page/../limits.py", {}),
            ("GET", "/docs", {}),
        )
    ]
    assert statuses == [415, 415, 413, 413, 405, 404, 404, 404, 404]


def test_a_body_that_comes_too_slowly(service):
    import asyncio

    async def slow():
        yield b'{"prompt"'
        await asyncio.sleep(5)
        yield b': "a"}'

    async def run():
        transport = httpx2.ASGITransport(service(only=["language"], upload_seconds=0.1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(NEXT, content=slow(), headers=JSON)

    answer = asyncio.run(run())
    assert answer.status_code == 408
    assert "0.1 seconds" in answer.json()["error"]


def test_the_key(service, ask):
    app = service(only=["language"], key="a key?>~", local=False)
    code = "YSBrZXk_Pn4"  # base64
    tried = [{}, {"Authorization": "Bearer wrong"}, {"x-api-key": b"a key\xe2"}]
    assert [answer.status_code for given in tried for answer in ask(app, ("GET", "/runs", {"headers": given}))] == [
        401
    ] * 3
    opened = ask(app, ("GET", "/", {}), ("GET", "/health", {}), ("GET", "/ready", {}), ("GET", "/page/app.js", {}))
    assert [answer.status_code for answer in opened] == [200] * 4
    assert ask(app, ("GET", "/metrics", {}))[0].status_code == 401
    with TestClient(app) as client:
        address = "ws://elsewhere/runs/language/session"
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(address):
            pass
        assert refused.value.status_code == 401
        with client.websocket_connect(address, subprotocols=["longshort", f"longshort.key.{code}"]) as socket:
            assert socket.accepted_subprotocol == "longshort"
            socket.send_json({"text": "a"})
            assert "next" in socket.receive_json()
    plain = service(only=["language"], key="plain")
    for shown in ({"Authorization": "Bearer plain"}, {"x-api-key": "plain"}):
        assert ask(plain, ("GET", "/runs", {"headers": shown}))[0].status_code == 200


def test_other_pages_and_other_names_of_the_host(service, ask):
    app = service(only=["language"])
    own = {"origin": "http://localhost", "host": "localhost"}
    tried = [own, {"origin": "http://evil.example"}, {"host": "evil.example"}, {"origin": "null"}, {"host": "[::1]:80"}]
    assert [ask(app, ("GET", "/runs", {"headers": one}))[0].status_code for one in tried] == [200, 403, 403, 403, 200]
    with TestClient(app) as client:
        address, elsewhere = "ws://localhost/runs/language/session", {"origin": "http://evil.example"}
        with pytest.raises(WebSocketDenialResponse), client.websocket_connect(address, headers=elsewhere):
            pass
    answer = ask(app, ("GET", "/runs", {}))[0]
    assert "access-control-allow-origin" not in answer.headers
    allowed = service(only=["language"], origins=["https://shop.example"])
    answer = ask(allowed, ("GET", "/runs", {"headers": {"origin": "https://shop.example"}}))[0]
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")


def test_every_answer_has_an_id_and_is_counted(app, ask):
    own, odd = ask(app, ("GET", "/health", {}), ("GET", "/x", {}), **{"x-request-id": "mine-1"})
    assert own.headers["x-request-id"] == odd.headers["x-request-id"] == "mine-1"
    ((made),) = ask(app, ("GET", "/health", {"headers": {"x-request-id": "not mine\t!"}}))
    assert made.headers["x-request-id"].isalnum()
    assert "default-src 'self'" in made.headers["content-security-policy"]
    ask(app, ("POST", NEXT, {"json": {"prompt": "a"}}))
    told = ask(app, ("GET", "/metrics", {}))[0].text
    assert 'longshort_requests_total{route="/health",status="200"} 2.0' in told
    assert 'longshort_requests_total{route="other",status="404"} 1.0' in told
    assert 'longshort_requests_total{route="/runs/language/next",status="200"} 1.0' in told
    assert 'longshort_batch_size_sum{kind="read",run="language"} 1.0' in told


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"host": "0.0.0.0"}, "give an --api-key"),
        ({"key": "☂"}, "printable ASCII"),
        ({"host": "no.such.host.invalid", "key": "k"}, "cannot listen at no.such.host.invalid:0"),
    ],
)
def test_where_it_will_not_listen(paths, change, what):
    with pytest.raises(InputError, match=what):
        serve(paths, **{"port": 0, **change})


def test_runs_that_cannot_be_served(paths, tmp_path):
    with pytest.raises(InputError, match="no run to serve"):
        load_runs([])
    with pytest.raises(InputError, match="does not exist"):
        load_runs([tmp_path / "nothing"])
    with pytest.raises(InputError, match="two runs would be called 'chat'"):
        load_runs([paths[0], paths[0]])


@pytest.mark.parametrize("wrong", [{"queue": 0}, {"wait_ms": -1}, {"wait_ms": 5000}, {"session_seconds": 0}])
def test_wrong_bounds(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Limits(**wrong)
