"""Sessions: each has its own state, whoever else talks; they are bounded, expire and end in order."""

import asyncio
import base64
import contextlib
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sounds import RATE, file_of
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from test_transcribe_estimator import spoken

from longshort.errors import InputError
from longshort.serve.engine import LateError
from longshort.serve.hearing import Chunk, Dictation, hear_on
from longshort.serve.house import House
from longshort.serve.limits import Limits
from longshort.serve.reader import TOKENS, Reader, Typed

HERE = "ws://localhost"
PIECES = st.text("the cat\nsat, on é birds'", min_size=0, max_size=12)


def typed_together(run, texts, order):
    """Several texts, typed piece by piece in an order that mixes them; of each what its session said in the end."""

    async def all_of_them():
        house = House(Limits(wait_ms=0.5))
        reader = Reader(run.model)
        together = house.together(run, "read", reader.compute, size=lambda ask: len(ask.ids), capacity=TOKENS)
        sessions = [Typed(reader, together, house.engine) for _ in texts]
        told = [[] for _ in texts]
        said = [None] * len(texts)

        async def one(k, pieces):
            for piece in pieces:
                said[k] = await sessions[k].add(piece, restart=False, gates=None)
                begin = said[k].begin
                told[k][begin:] = list(zip(said[k].tokens, said[k].log_probabilities, strict=True))
                for _ in range(order[k % len(order)] if order else 0):
                    await asyncio.sleep(0)

        await asyncio.gather(*(one(k, pieces) for k, pieces in enumerate(texts)))
        house.engine.close()
        return told, said

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("name", ["language", "words", "subwords"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(PIECES, min_size=1, max_size=5), min_size=1, max_size=12), order=st.lists(st.integers(0, 5))
)
@pytest.mark.filterwarnings("ignore::longshort.errors.Note")
def test_many_that_are_mixed_say_what_each_says_alone(runs, name, texts, order):
    model = runs[name].model
    found, said = typed_together(runs[name], texts, order)
    for pieces, told, last in zip(texts, found, said, strict=True):
        text = "".join(pieces)
        if not model.fitted.tokenizer.encode(text).ids.size:
            assert told == []
            continue
        alone = model.score(text)
        np.testing.assert_allclose([log for _, log in told], alone["log_probability"], atol=1e-5)
        # The likeliest next token: its log-probability as the text's continuation.
        ids = model.fitted.tokenizer.encode(text).ids
        assert [label for label, _ in told] == [model.fitted.tokenizer.label(token) for token in ids.tolist()]
        assert sum(p for _, p in last.next) == pytest.approx(1) or len(model.fitted.tokenizer) > 50


def test_text_as_it_is_typed(app, runs):
    model = runs["language"].model
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/language/session") as socket:

        def say(**message):
            socket.send_json(message)
            return socket.receive_json()

        say(text="the c")
        answer = say(text="at", k=3, gates=True)
        assert (answer["begin"], answer["tokens"]) == (5, ["a", "t"])
        whole = model.score("the cat")["log_probability"].to_list()
        np.testing.assert_allclose(answer["log_probabilities"], whole[-2:], atol=1e-5)
        # What comes next, by the scores of all that could: the text and one more character.
        token, p = (answer["next"][0][key] for key in ("token", "probability"))
        written = {"↵": "\n", "␣": " "}.get(token, token)
        if written != "\ufffd":
            assert np.exp(model.score("the cat" + written)["log_probability"][-1]) == pytest.approx(p, abs=1e-5)
        # The gates, by the layer's own trace over the whole text.
        import torch

        ids = np.concatenate([model.beginning, model.fitted.tokenizer.encode("the cat").ids]).astype(np.int64)
        network = model.fitted.network
        traced = network.recurrent[0].trace(network.embed(torch.from_numpy(ids).unsqueeze(1)))
        for gate in "ifgoch":
            expected = getattr(traced, gate)[0, 0, -2:, 0].detach().numpy()
            np.testing.assert_allclose(answer["gates"][gate], expected, atol=6e-4)
        assert say(text="the cat", restart=True)["begin"] == 0


def test_a_wrong_message_changes_nothing(app, runs):
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/language/session") as socket:
        socket.send_json({"text": "the "})
        socket.receive_json()
        wrong = [
            "{",
            "[" * 5000,
            '{"text": 3}',
            '{"text": "a", "more": 1}',
            '{"text": "a", "layer": 9, "gates": true}',
            '"a"',
        ]
        for message in (*wrong, '{"text": "\\ud800"}', '{"text": "' + "a" * 20_001 + '"}', '{"k": NaN}'):
            socket.send_text(message)
            assert list(socket.receive_json()) == ["error"]
        socket.send_json({"text": "cat"})
        answer = socket.receive_json()
    np.testing.assert_allclose(
        answer["log_probabilities"], runs["language"].model.score("the cat")["log_probability"][-3:], atol=1e-5
    )


def test_a_forecast_with_each_new_value(app, runs):
    import polars as pl

    model = runs["forecast"].model
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/forecast/session") as socket:
        for count in range(1, 4):
            socket.send_json({"y": [10.0 + count], "history": 2})
            answer = socket.receive_json()
            newer = pl.DataFrame({"ds": np.datetime64("2024-04-30") + np.arange(count), "y": 11.0 + np.arange(count)})
            np.testing.assert_allclose(answer["median"], model.predict(newer)["forecast"], rtol=1e-5)
        assert answer["history"] == [12, 13]
        socket.send_json({"restart": True})
        np.testing.assert_allclose(socket.receive_json()["median"], model.predict()["forecast"], rtol=1e-5)


def test_a_conversation_is_remembered(app, runs):
    model = runs["chat"].model
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/chat/session") as socket:
        history = []
        for said in ("I am in Rome.", "Some fish."):
            socket.send_json({"text": said})
            answer = socket.receive_json()
            assert answer["text"] == model.reply([*history, said])
            history += [said, answer["text"]]
        assert answer["turns"] == 4
        socket.send_json({"text": "Some fish.", "restart": True})
        assert socket.receive_json()["text"] == model.reply(["Some fish."])


def base64_of(samples):
    return base64.b64encode(np.asarray(samples, "<i2").tobytes()).decode()


def bells(*words, seed=7, rate=RATE):
    return (32767 * spoken(words, np.random.default_rng(seed), rate)).astype("<i2")


def dictated(socket, samples, sizes, rate, **more):
    """The words that a session knows after each of its answers."""
    words, said = [], []
    chunks = np.split(samples, np.cumsum(sizes))
    for place, chunk in enumerate(chunks):
        last = place == len(chunks) - 1
        socket.send_json({"samples": base64_of(chunk), "rate": rate, "last": last, **more})
        answer = socket.receive_json()
        assert answer["text"] == " ".join(word["text"] for word in answer["words"])
        words = [*words[: answer["begin"]], *answer["words"]]
        said.append({**answer, "words": words})
    return said


@pytest.mark.parametrize("rate", [8000, 22_050])
@pytest.mark.parametrize("beam", [1, 3])
def test_sound_as_it_is_spoken_is_the_whole_file(app, runs, rate, beam):
    samples = bells("ding", "dong", "deng", "ding", rate=rate)
    told = runs["live"].model.transcribe(file_of(samples, rate=rate), beam=beam)
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/live/session") as socket:
        for sizes in (
            [rate // 4] * (len(samples) // (rate // 4)),
            [1, 3000, 0, 17],
            [],
        ):  # two recordings, and one more
            said = dictated(socket, samples, sizes, rate, beam=beam)
            last = said[-1]
            assert (last["begin"], last["text"], last["last"]) == (0, told.text, True)
            assert last["seconds"] == pytest.approx(told.seconds)
            assert last["confidence"] == pytest.approx(told.confidence, abs=1e-4)
            for one, word in zip(last["words"], told.words, strict=True):
                assert one["text"] == word.text
                assert (one["start"], one["end"]) == pytest.approx((word.start, word.end), abs=1e-3)
                assert one["confidence"] == pytest.approx(word.confidence, abs=1e-4)
        sent = {
            "content": file_of(samples, rate=rate),
            "headers": {"content-type": "audio/wav"},
            "params": {"beam": beam},
        }
        assert client.post("http://localhost/runs/live/predict", **sent).json()["text"] == told.text != ""


def test_what_is_known_comes_early(app):
    samples = bells("ding", "dong", "deng", "ding")
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/live/session") as socket:
        said = dictated(socket, samples, [800] * (len(samples) // 800), RATE)
    counts = [len(answer["words"]) for answer in said]
    assert counts == sorted(counts)
    assert counts[len(counts) // 2] >= 1
    assert any(answer["begin"] > 0 for answer in said)


def test_many_who_speak_are_not_mixed_up(app, runs):
    model = runs["live"].model
    spoken_ = [bells(*words, seed=k) for k, words in enumerate((["ding", "dong"], ["deng"], ["dong", "deng", "ding"]))]
    with TestClient(app) as client, contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(client.websocket_connect(f"{HERE}/runs/live/session")) for _ in spoken_]
        for begin in range(0, max(map(len, spoken_)), 1000):
            for socket, samples in zip(sockets, spoken_, strict=True):
                socket.send_json({"samples": base64_of(samples[begin : begin + 1000]), "rate": RATE})
            for socket in sockets:
                assert "error" not in socket.receive_json()
        for socket, samples in zip(sockets, spoken_, strict=True):
            socket.send_json({"last": True})
            assert socket.receive_json()["text"] == model.transcribe(samples, rate=RATE).text


def test_wrong_sound_changes_nothing(app, runs):
    samples = bells("ding", "dong")
    with TestClient(app) as client, client.websocket_connect(f"{HERE}/runs/live/session") as socket:

        def say(**message):
            socket.send_json(message)
            return socket.receive_json()

        assert say(samples=base64_of(samples[:50]))["error"].startswith("a recording begins with its rate")
        say(samples=base64_of(samples[:3000]), rate=RATE)
        for message, what in (
            ({"samples": "A"}, "samples: no base64"),
            ({"samples": "AAAA"}, "half a sample too much"),
            ({"rate": 16_000}, "has 8,000 samples a second: send restart"),
            ({"rate": 1}, "rate: "),
            ({"samples": base64_of([0]), "path": "/etc/passwd"}, "path: "),
            ({"beam": 0}, "beam: "),
        ):
            assert what in say(**message)["error"]
        said = say(samples=base64_of(samples[3000:]), last=True)
        assert said["text"] == runs["live"].model.transcribe(samples, rate=RATE).text
        assert said["seconds"] == len(samples) / RATE
        say(samples=base64_of(samples), rate=RATE)
        assert say(restart=True, rate=16_000)["seconds"] == 0


def test_a_run_that_is_not_live_says_so(app):
    with TestClient(app) as client:
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect(f"{HERE}/runs/transcribe/session"),
        ):
            pass
        assert refused.value.status_code == 422
        assert refused.value.json() == {
            "error": "this run reads recordings in both directions: fit one with live=True (--live) for streams"
        }
        listed = client.get("http://localhost/runs").json()["runs"]
    assert {run["name"]: run["session"] for run in listed if run["task"] == "transcribe"} == {
        "live": True,
        "transcribe": False,
    }


def test_a_chunk_that_came_too_late_is_not_passed_over(runs):
    """What was not heard in time may have been heard later: the session says so, and begins anew."""

    class Late:
        def __init__(self):
            self.late = False

        async def patiently(self, chunk):
            (said,) = hear_on([chunk])
            if self.late:
                raise LateError
            return said

    together = Late()
    dictation = Dictation(runs["live"].model, together)
    plain = {"last": False, "restart": False, "beam": None}

    async def talk():
        await dictation.add(b"\0" * 2000, RATE, **plain)
        together.late = True
        with pytest.raises(LateError):
            await dictation.add(b"\0" * 2000, None, **plain)
        together.late = False
        with pytest.raises(InputError, match="part of the sound was lost"):
            await dictation.add(b"\0" * 2000, None, **plain)
        _, said = await dictation.add(b"\0" * 2000, RATE, **{**plain, "restart": True})
        assert said.seconds == 1000 / RATE

    asyncio.run(talk())


def test_a_batch_that_is_begun_again_hears_nothing_twice(runs):
    live = runs["live"].model.live(rate=RATE)
    chunk = Chunk(live, bells("ding"), 1.0, last=False)
    first = hear_on([chunk])
    assert hear_on([chunk]) == first
    assert live.finish().seconds == len(chunk.samples) / RATE


def test_no_more_than_a_bound(service):
    with TestClient(service(only=["language"], sessions=2)) as client:
        address = f"{HERE}/runs/language/session"
        with client.websocket_connect(address) as first, client.websocket_connect(address):
            with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(address):
                pass
            assert refused.value.status_code == 429
            first.send_json({"text": "a"})
            assert "next" in first.receive_json()
        with client.websocket_connect(address) as again:
            again.send_json({"text": "a"})
            assert "next" in again.receive_json()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"session_idle_seconds": 0.2}, "nothing was said for 0.2"), ({"session_seconds": 0.2}, "a session lasts 0.2")],
)
def test_a_session_expires(service, limits, reason):
    with TestClient(service(only=["language"], **limits)) as client:
        with client.websocket_connect(f"{HERE}/runs/language/session") as socket:
            socket.send_json({"text": "a"})
            socket.receive_json()
            with pytest.raises(WebSocketDisconnect) as ended:
                socket.receive_json()
        assert ended.value.code == 1001
        assert ended.value.reason.startswith(reason)
        assert 'longshort_sessions{run="language"} 0.0' in client.get("/metrics", headers={"host": "localhost"}).text


def test_a_session_takes_text_alone(service):
    with TestClient(service(only=["language"], message_bytes=100)) as client:
        for send, code in (
            (lambda s: s.send_bytes(b"\xff"), 1003),
            (lambda s: s.send_text(json.dumps({"text": "a" * 100})), 1009),
        ):
            with client.websocket_connect(f"{HERE}/runs/language/session") as socket:
                send(socket)
                with pytest.raises(WebSocketDisconnect) as ended:
                    socket.receive_json()
            assert ended.value.code == code
