"""What a NUT server may answer that is no UPS."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from releve.adapters.survey.ups import NutPlace, nut_place, ups, variables
from releve.domain.errors import BadInput
from releve.domain.inventory import Device, Equipment
from releve.domain.seen import Ups


@contextlib.contextmanager
def answering(said: bytes) -> Iterator[Equipment]:
    """A UPS whose server answers those bytes to whoever comes, once, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                link, _ = server.accept()
                with link:
                    link.recv(100)
                    link.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        place = f"salle@127.0.0.1:{server.getsockname()[1]}"
        yield Equipment("onduleur", "Onduleur", Device.UPS, "principal", nut=place)
        thread.join()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "answer-unclear"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answer-unclear"),
        (b"\xff\xfe" * 1000, "answer-unclear"),
        (b"BEGIN LIST VAR salle\nVAR salle ups.status OL\nEND LIST VAR salle\n", "answer-unclear"),
        (b"ERR DATA-STALE\n", "ups-refused"),
        (b"ERR \x1b[2J\n", "ups-refused"),
        (b"BEGIN LIST VAR salle\nEND LIST VAR salle\n", "ups-mute"),
        (b'BEGIN LIST VAR salle\nVAR salle ups.status "WAIT"\nEND LIST VAR salle\n', "ups-mute"),
    ],
)
def test_garbage_and_refusals_are_gaps(said: bytes, code: str) -> None:
    """Whatever is answered, there is no fact, one gap, and nothing that a terminal would obey."""
    with answering(said) as device:
        found = ups(device, timeout=2)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), [code])
    assert found.gaps[0].sentence.isprintable()


@pytest.mark.parametrize("charge", [b"nan", b"inf", b"-Infinity", b"1e999", b"plein"])
def test_a_charge_that_is_no_number_is_unknown(charge: bytes) -> None:
    """It is not told, and the rest is."""
    said = b'BEGIN LIST VAR salle\nVAR salle ups.status "OL"\nVAR salle battery.charge "%s"\nEND LIST VAR salle\n'
    with answering(said % charge) as device:
        (fact,) = ups(device, timeout=2).facts
    assert fact == Ups("onduleur", "OL")


def test_an_answer_that_is_too_long_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on and on is given up, whatever it says in the end."""
    many = b"".join(b'VAR salle outlet.%d.status "on"\n' % number for number in range(2000))
    said = b'BEGIN LIST VAR salle\nVAR salle ups.status "OL"\n' + many + b"END LIST VAR salle\n"
    with answering(said) as device:
        assert ups(device, timeout=2).facts == (Ups("onduleur", "OL"),)
    monkeypatch.setattr("releve.adapters.survey.ups._LARGEST", 10_000)
    with answering(said) as device:
        assert [gap.code for gap in ups(device, timeout=2).gaps] == ["answer-unclear"]


def test_a_server_that_is_not_there_is_a_gap() -> None:
    """A closed port: the gap names the address, and it is not an empty battery."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = ups(
        Equipment("o", "Onduleur", Device.UPS, "principal", "127.0.0.1", nut=f"salle@127.0.0.1:{port}")
    )
    assert [gap.code for gap in found.gaps] == ["ups-silent"]
    assert str(port) in found.gaps[0].sentence


def test_values_keep_their_quotes_and_backslashes() -> None:
    """NUT puts a backslash before a quote and before a backslash."""
    raw = b'BEGIN LIST VAR s\nVAR s ups.model "A \\"B\\" \\\\ C"\nEND LIST VAR s\n'
    assert variables(raw) == {"ups.model": 'A "B" \\ C'}


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("salle", NutPlace("salle")),
        ("salle@10.1.0.9", NutPlace("salle", "10.1.0.9")),
        ("salle@10.1.0.9:4000", NutPlace("salle", "10.1.0.9", 4000)),
        ("salle@[fd00::9]:4000", NutPlace("salle", "fd00::9", 4000)),
    ],
)
def test_a_ups_is_named_as_nut_names_it(written: str, place: NutPlace) -> None:
    """Name, host and port, the last two being optional."""
    assert nut_place(written) == place


@pytest.mark.parametrize(
    "written", ["", "a b@x", "salle\nLOGOUT@x", "salle@-x", "salle@x:0", "salle@x:70000"]
)
def test_a_name_that_could_mean_something_else_is_refused(written: str) -> None:
    """No space, no line end, no option, no impossible port reaches a server or a program."""
    with pytest.raises(BadInput, match="ne désigne pas un onduleur"):
        nut_place(written)
