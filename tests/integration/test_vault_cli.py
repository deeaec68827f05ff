"""`releve vault …` as a user meets it: the whole way, each bad input, the page that opens it without us."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from releve.adapters.hosts.lock import hold
from releve.adapters.vault import locks
from releve.adapters.vault.keyfile import Cost
from releve.adapters.vault.repository import create
from releve.adapters.vault.store import FolderStore
from tests.commands import here
from tests.features import CURRENT_RESTIC
from tests.vaults import PASSWORD, now, picture, reopened, restic


def releve(
    *words: str | Path, key: str = PASSWORD, stdin: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the vault; in a zone of its own, as a user would, in a process of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RELEVE_")}
    env |= {"RELEVE_VAULT_KEY": key} | more
    if "TZ" not in more:
        return here(["vault", *map(str, words)], env, stdin)
    argv = [sys.executable, "-P", "-m", "releve", "vault", *map(str, words)]
    return subprocess.run(
        argv, capture_output=True, text=True, input=stdin, env=env, timeout=120, check=False
    )


def told(*words: str | Path, code: int = 0, **more: str) -> dict[str, object]:
    """The one JSON document; the exit code must be `code`."""
    done = releve(*words, "--json", **more)
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def refusal(*words: str | Path, code: int, **more: str) -> str:
    """The code of the error, its exit code being `code`."""
    error = told(*words, code=code, **more)["error"]
    assert isinstance(error, dict)
    assert error["message"]
    return str(error["code"])


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two files to keep."""
    made = tmp_path / "partage"
    (made / "projets").mkdir(parents=True)
    (made / "projets" / "suivi.txt").write_text("une page")
    (made / "photo.bin").write_bytes(os.urandom(700_000))
    return made


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    """An empty vault with a cheap key."""
    create(FolderStore(tmp_path / "coffre"), PASSWORD, now(), Cost(2, 8, 1))
    return tmp_path / "coffre"


def test_the_whole_way(vault: Path, share: Path, tmp_path: Path) -> None:
    """Save, list, look inside, verify, restore, thin: each answers, and the files are identical."""
    saved = told("save", vault, share, "--tag", "jour")
    assert (saved["files"], saved["unread"]) == (2, [])
    again = told("save", vault, share)
    assert (again["files_same"], again["parent"]) == (2, saved["snapshot"])
    listed = told("snapshots", vault)["snapshots"]
    assert isinstance(listed, list)
    assert [one["tags"] for one in listed] == [["jour"], []]
    inside = told("ls", vault, str(saved["snapshot"])[:8])["entries"]
    assert isinstance(inside, list)
    assert any(str(one["path"]).endswith("projets/suivi.txt") for one in inside)
    verdict = told("verify", vault)
    assert (verdict["sound"], verdict["content_read"], verdict["snapshots"]) == (True, True, 2)
    assert told("verify", vault, "--quick")["content_read"] is False
    back = told("restore", vault, "--target", tmp_path / "retour")
    assert (back["files"], back["lost"]) == (2, [])
    assert picture(tmp_path / "retour" / share.relative_to("/")) == picture(share)
    resumed = told("restore", vault, "--target", tmp_path / "retour", "--continue")
    assert (resumed["files"], resumed["kept"]) == (0, 2)
    young = told("forget", vault, "--keep-last", "1", "--yes")["rulings"]
    assert isinstance(young, list)
    assert all(one["keep"] for one in young)
    told("forget", vault, "--keep-last", "1", "--minimum-age", "0", "--yes")
    files = told("stats", vault)["files"]
    assert isinstance(files, dict)
    assert (files["keys"], files["snapshots"], files["locks"]) == (1, 1, 0)
    assert told("prune", vault)["done"] is False
    told("prune", vault, "--yes")
    assert told("verify", vault)["sound"] is True


def test_one_path_alone_comes_back(vault: Path, share: Path, tmp_path: Path) -> None:
    """--path restores what is below it and nothing else; an unknown one is said."""
    told("save", vault, share)
    told("restore", vault, "--target", tmp_path / "a", "--path", share / "projets")
    there = tmp_path / "a" / share.relative_to("/")
    assert [path.name for path in there.iterdir()] == ["projets"]
    assert (
        refusal("restore", vault, "--target", tmp_path / "b", "--path", "/nulle/part", code=2)
        == "unknown-path"
    )


def test_a_misspelt_path_is_refused_before_anything_is_made(vault: Path, share: Path, tmp_path: Path) -> None:
    """The nearest path of the snapshot is in the hint, also beside one that is there; the target is not even made."""
    told("save", vault, share)
    target = tmp_path / "retour"
    for typed, near in (
        (share / "projet", share / "projets"),
        (share / "projets" / "suivi.text", share / "projets" / "suivi.txt"),
        (share.with_name("partages") / "projets" / "absent", share / "projets"),
        (share / "photo.bin" / "dedans", share / "photo.bin"),
        (Path("/zzz"), Path("/")),
    ):
        paths = ("--path", share / "photo.bin", "--path", typed)
        error = told("restore", vault, "--target", target, *paths, code=2)["error"]
        assert isinstance(error, dict)
        assert (error["code"], f"« {near} »" in error["hint"]) == ("unknown-path", True), error
        assert not target.exists()
    told("restore", vault, "--target", target, "--path", f"{share}/projets/")
    assert (target / share.relative_to("/") / "projets" / "suivi.txt").exists()


def test_an_unknown_place_is_no_vault_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program's kinds of address, a letter that slipped, a disk that is not mounted: refused, nothing made."""
    monkeypatch.chdir(tmp_path)
    for where in ("sftp:nas:/coffre", "s4:https://serveur/seau", "b2:seau"):
        assert refusal("init", where, code=2) == "vault-address"
    assert refusal("init", tmp_path / "absent" / "coffre", code=2) == "vault-parent"
    assert list(tmp_path.iterdir()) == []
    told("init", tmp_path / "coffre", "-k", f"file:{tmp_path}/releve/coffre.cle")
    assert (tmp_path / "releve").stat().st_mode & 0o777 == 0o700


def test_what_is_brought_back_is_named_or_asked_for(vault: Path, share: Path, tmp_path: Path) -> None:
    """One thing in the vault: the newest of it; several: the newest is not all, and the command asks."""
    told("save", vault, share)
    said = releve("restore", vault, "--target", tmp_path / "un").stdout
    assert str(share) in said
    told("save", vault, share / "projets")
    assert refusal("restore", vault, "--target", tmp_path / "deux", code=2) == "which-snapshot"
    assert not (tmp_path / "deux").exists()
    told("restore", vault, "latest", "--target", tmp_path / "deux")


def test_a_folder_that_has_nothing_left_is_not_green(vault: Path, share: Path) -> None:
    """Its disk is not mounted, or all was removed: saved as it is, and said."""
    told("save", vault, share)
    share.rename(share.with_name("ailleurs"))
    share.mkdir()
    assert told("save", vault, share, code=3)["emptied"] == 2
    assert told("save", vault, share)["emptied"] == 0  # said once: the time before, there was nothing either


def test_a_folder_that_is_missing_stops_the_saving_of_no_other(
    vault: Path, share: Path, tmp_path: Path
) -> None:
    """It is told, code 3; what is there is saved under its own name, so that no retention pushes the other out."""
    other = tmp_path / "autre"
    other.mkdir()
    (other / "a").write_text("a")
    told("save", vault, share, other)
    other.rename(tmp_path / "parti")
    saved = told("save", vault, share, other, code=3)
    assert saved["absent"] == [{"path": str(other), "why": "le fichier ou le dossier n'existe pas"}]
    assert (saved["files"], saved["emptied"]) == (2, 0)
    assert f"PAS SAUVÉ : {other} : le fichier" in releve("save", vault, other, share).stdout
    known = told("snapshots", vault)["snapshots"]
    assert isinstance(known, list)
    assert [one["paths"] for one in known] == [sorted([str(share), str(other)]), [str(share)], [str(share)]]
    policy = ("--keep-last", "1", "--minimum-age", "0")
    assert len(told("forget", vault, *policy, "--yes")["rulings"]) == 3  # type: ignore[arg-type]
    known = told("snapshots", vault)["snapshots"]
    assert isinstance(known, list)
    assert known[0]["paths"] == sorted([str(share), str(other)])
    assert refusal("save", vault, other, tmp_path / "rien", code=2) == "unreadable"


def test_bad_inputs_are_named(vault: Path, share: Path, tmp_path: Path) -> None:
    """Wrong key, no vault, wrong snapshot, a full target, a key in clear, a vault inside what it saves."""
    told("save", vault, share)
    assert refusal("snapshots", vault, key="une autre clé", code=4) == "vault-wrong-key"
    assert refusal("snapshots", tmp_path / "rien", code=6) == "vault-missing"
    assert refusal("ls", vault, "ffff", code=2) == "unknown-snapshot"
    assert refusal("restore", vault, "--target", share, code=2) == "target-not-empty"
    assert refusal("restore", vault, code=2) == "usage"
    assert refusal("snapshots", vault, "--key", "en-clair", code=2) == "secret-scheme"
    assert refusal("save", vault, tmp_path, code=2) == "vault-inside"
    assert refusal("save", vault, tmp_path / "absent", code=2) == "unreadable"
    assert refusal("init", share, code=2) == "vault-not-empty"
    assert refusal("init", tmp_path / "x", key="court", code=2) == "weak-key"
    assert refusal("forget", vault, "--minimum-age", "bientôt", code=2) == "usage"
    only = told("key", "list", vault)["keys"]
    assert isinstance(only, list)
    assert refusal("key", "remove", vault, str(only[0]["id"])[:8], code=4) == "last-key"


def test_a_folder_reached_by_a_link_is_saved_under_its_own_name(
    vault: Path, share: Path, tmp_path: Path
) -> None:
    """A link to the share, and a folder below that link: the files come back, and the real name is said."""
    (tmp_path / "lien").symlink_to(share)
    for given, real in ((tmp_path / "lien", share), (tmp_path / "lien" / "projets", share / "projets")):
        saved = told("save", vault, given)
        assert saved["followed"] == [{"path": str(given), "saved": str(real)}]
        target = tmp_path / f"retour de {given.name}"
        told("restore", vault, str(saved["snapshot"]), "--target", target)
        assert picture(target / real.relative_to("/")) == picture(real)
    assert told("save", vault, share)["followed"] == []
    assert str(share) in releve("save", vault, tmp_path / "lien").stdout
    (tmp_path / "vers le coffre").symlink_to(vault.parent)
    assert refusal("save", vault, tmp_path / "vers le coffre", code=2) == "vault-inside"


def test_hours_on_screen_are_those_of_the_wall(vault: Path, share: Path) -> None:
    """Two hours ahead of UTC: list, files and keys say local hours and by how much; --json stays in UTC."""
    os.utime(share / "photo.bin", (1_773_058_200, 1_773_058_200))  # 2026-03-09 12:10 UTC
    told("save", vault, share)
    here = {"TZ": "<+02>-2"}
    listed = releve("ls", vault, **here).stdout
    assert [
        line for line in listed.splitlines() if "2026-03-09 14:10:00 +0200" in line and "photo.bin" in line
    ]
    inside = told("ls", vault, **here)["entries"]
    assert "2026-03-09T12:10:00Z" in [one["mtime"] for one in inside]  # type: ignore[attr-defined]
    for words in (("snapshots", vault), ("key", "list", vault)):
        assert " +0200  " in releve(*words, **here).stdout


def test_the_worst_day_is_said_in_french(vault: Path, share: Path, tmp_path: Path) -> None:
    """A misspelt word is named, a missing state and one of each thing are in French, no hint names a lost option."""
    given = releve("key", "recover", stdin="acid aci\n\n")
    assert "aci" in given.stderr.split("aucune feuille n'a ces mots", 1)[1]
    assert "mnemonic" not in given.stderr.lower()
    told("save", vault, share)
    shown = releve("stats", vault).stdout
    assert "1 instantané, " in shown
    assert "1 clé, " in shown
    assert "--password" not in releve("init", tmp_path / "x", key="court").stderr
    argv = [sys.executable, "-P", "-m", "releve", "database", "status", str(tmp_path / "rien")]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "Errno" not in ran.stderr


def test_one_thing_is_said_in_the_singular(vault: Path, tmp_path: Path) -> None:
    """One file, one snapshot, one pack: no command of the vault says them in the plural."""
    alone = tmp_path / "seul"
    alone.mkdir()
    (alone / "fichier").write_text("une page")
    state = ("--register", tmp_path / "liste")
    told("forget", vault, *state)
    said = [
        releve("save", vault, alone).stdout,
        releve("restore", vault, "--target", tmp_path / "retour").stdout,
        releve("verify", vault).stdout,
        releve("forget", vault, "--keep-last", "1", *state).stdout,
        releve("register", "check", vault, "--state", tmp_path / "liste").stdout,
    ]
    assert all(said)
    for text in said:
        assert re.search(r"\b[01] \w+s\b", text) is None, text


def test_a_word_taken_for_the_vault_is_said(vault: Path, share: Path, tmp_path: Path) -> None:
    """With RELEVE_VAULT set, a snapshot, a key or a folder where the vault stands: the error says how to name it."""
    told("save", vault, share)
    usual = {"RELEVE_VAULT": str(vault)}
    other = tmp_path / "autre"
    other.mkdir()
    for words in (
        ("ls", "113e064d"),
        ("restore", "113e064d", "--target", tmp_path / "r"),
        ("save", other, share),
        ("key", "remove", "9f6d", "9f6d"),
    ):
        done = releve(*words, **usual)
        assert done.returncode == 2, done.stderr
        assert "[not-a-vault]" in done.stderr
        assert f"{vault} {words[-1] if words[0] == 'key' else words[1]}" in done.stderr
    assert list(other.iterdir()) == []
    for words in (("save", share), ("key", "remove", "9f6d")):
        done = releve(*words, **usual)
        assert (done.returncode, "le coffre se nomme, en premier" in done.stderr) == (2, True), done.stderr
    assert len(told("snapshots", **usual)["snapshots"]) == 1  # type: ignore[arg-type]
    assert refusal("snapshots", tmp_path / "rien", code=6) == "vault-missing"


def test_damage_ends_with_exit_3_and_heals_from_the_copy(vault: Path, share: Path, tmp_path: Path) -> None:
    """A flipped bit: verify names the file and what is lost; heal puts it back from the second copy."""
    told("save", vault, share)
    subprocess.run(["cp", "-a", vault, tmp_path / "copie"], check=True)
    pack = max(
        (path for path in (vault / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    raw = bytearray(pack.read_bytes())
    raw[1000] ^= 4
    pack.chmod(0o600)
    pack.write_bytes(raw)
    verdict = told("verify", vault, code=3)
    assert [one["file"] for one in verdict["troubles"]] == [f"data/{pack.name}"]  # type: ignore[index, attr-defined]
    assert len(verdict["lost"]) == 1  # type: ignore[arg-type]
    assert len(told("restore", vault, "--target", tmp_path / "r", code=3)["lost"]) == 1  # type: ignore[arg-type]
    healed = told("heal", vault, "--from", tmp_path / "copie")
    assert healed["replaced"] == [f"data/{pack.name}"]
    assert told("verify", vault)["sound"] is True


@pytest.mark.needs("restic")
def test_the_printed_key_opens_the_vault_with_restic(vault: Path, share: Path, tmp_path: Path) -> None:
    """The key read off the PDF, which nobody else may read; what to type with it is tried in test_vault_page.py."""
    told("save", vault, share)
    told("key", "print", vault, "--output", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_mode & 0o77 == 0
    key = next(
        word for word in _text(tmp_path / "page.pdf").split() if word.count("-") == 7 and len(word) == 39
    )
    env = {**os.environ, "RESTIC_PASSWORD": key}
    argv = ["restic", "--no-cache", "-r", str(vault), "restore", "latest", "--target", str(tmp_path / "out")]
    subprocess.run(argv, env=env, check=True, capture_output=True)
    assert picture(tmp_path / "out" / share.relative_to("/")) == picture(share)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("restic", marks=pytest.mark.needs("restic")),
        pytest.param(
            str(CURRENT_RESTIC),
            marks=[pytest.mark.needs("restic-current"), pytest.mark.torture],
            id="current",
        ),
    ],
)
def test_a_printed_key_can_be_told_from_the_others(vault: Path, tmp_path: Path, program: str) -> None:
    """Its number and the day are on each sheet, at each foot, and in the list with what it is for; restic reads it all."""
    page = tmp_path / "page.pdf"
    printed = str(told("key", "print", vault, "--output", page)["key"])
    shared = str(told("key", "split", vault, "--output", tmp_path / "parts")["key"])
    for name, file in [(printed, page), *((shared, one) for one in (tmp_path / "parts").iterdir())]:
        sheets = _sheets(file)
        assert f"Clé n° : {name[:8]}" in sheets[0]
        assert f"Imprimée le : {now().astimezone():%d/%m/%Y à }" in sheets[0]
        assert f"releve vault key remove {name[:8]}" in sheets[0].replace("\n", " ").replace("\r", "")
        assert all(f"Clé n° {name[:8]}" in sheet for sheet in sheets)
    keys = told("key", "list", vault)["keys"]
    assert isinstance(keys, list)
    assert {one["id"]: one["label"] for one in keys if one["label"]} == {
        printed: "feuille imprimée",
        shared: "partagée en mots",
    }
    assert re.search(rf"{printed[:8]}  .*@.*  feuille imprimée", releve("key", "list", vault).stdout)
    assert printed[:8] in restic(program, vault, "key", "list")
    assert "no errors" in restic(program, vault, "check")


def test_a_page_that_is_there_is_replaced_only_when_asked(vault: Path, tmp_path: Path) -> None:
    """It may be the only one that says its key: refused, before any key is drawn; --force replaces it."""
    page, parts = tmp_path / "page.pdf", tmp_path / "parts"
    told("key", "print", vault, "--output", page)
    told("key", "split", vault, "--output", parts)
    before = {path: path.read_bytes() for path in (page, *parts.iterdir())}
    (parts / "part-1-sur-3.pdf").unlink()  # one that is left is enough
    assert refusal("key", "print", vault, "--output", page, code=2) == "page-exists"
    assert refusal("key", "split", vault, "--output", parts, code=2) == "page-exists"
    assert {path: path.read_bytes() for path in (page, *parts.iterdir())}.items() <= before.items()
    assert len(told("key", "list", vault)["keys"]) == 3  # type: ignore[arg-type]
    name = str(told("key", "print", vault, "--output", page, "--force")["key"])
    assert f"Clé n° : {name[:8]}" in _sheets(page)[0]
    assert page.stat().st_mode & 0o77 == 0
    told("key", "split", vault, "--output", parts, "--force")


def test_a_key_without_its_page_does_not_stay(vault: Path, tmp_path: Path) -> None:
    """A page that cannot be written: no key is left behind, and no other page of it."""
    assert refusal("key", "print", vault, "--output", tmp_path / "absent" / "page.pdf", code=2)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-2-sur-3.pdf").mkdir()
    assert refusal("key", "split", vault, "--output", tmp_path / "parts", "--force", code=2) == "page-exists"
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["part-2-sur-3.pdf"]
    assert len(told("key", "list", vault)["keys"]) == 1  # type: ignore[arg-type]


@pytest.mark.needs("restic")
def test_two_of_three_sheets_of_words_open_the_vault(vault: Path, share: Path, tmp_path: Path) -> None:
    """Words read off two PDF sheets, recombined, open the vault, with restic too; one sheet does not."""
    told("save", vault, share)
    told("key", "split", vault, "--output", tmp_path / "parts")
    words = [_words(tmp_path / "parts" / f"part-{number}-sur-3.pdf") for number in (1, 3)]
    given = releve("key", "recover", stdin="\n".join([*words, ""]) + "\n")
    assert given.returncode == 0, given.stderr
    key = given.stdout.strip()
    (tmp_path / "w1").write_text(words[0])
    (tmp_path / "w3").write_text(words[1])
    assert told("key", "recover", "--words", tmp_path / "w1", "--words", tmp_path / "w3")["key"] == key
    assert refusal("key", "recover", "--words", tmp_path / "w1", code=2) == "words-wrong"
    assert len(told("snapshots", vault, key=key)["snapshots"]) == 1  # type: ignore[arg-type]
    env = {**os.environ, "RESTIC_PASSWORD": key}
    subprocess.run(
        ["restic", "--no-cache", "-r", str(vault), "snapshots"], env=env, check=True, capture_output=True
    )
    assert "no errors" in restic("restic", vault, "check")


@pytest.mark.needs("mount-namespace")
def test_a_full_disk_is_said_and_the_vault_stays_sound(vault: Path, share: Path, tmp_path: Path) -> None:
    """The vault on a disk of 2 MB, a share that does not fit: exit 6, and what was there verifies."""
    (share / "gros").write_bytes(os.urandom(4_000_000))
    script = (
        'mount -t tmpfs -o size=2m tmpfs "$1" && cp -a "$2/." "$1/" && '
        '"$3" -P -m releve vault save "$1" "$4/projets" >/dev/null && '
        '"$3" -P -m releve vault save "$1" "$4" --json; echo "code $?"; '
        '"$3" -P -m releve vault verify "$1" >/dev/null; echo "verify $?"'
    )
    disk = tmp_path / "petit"
    disk.mkdir()
    argv = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        disk,
        vault,
        sys.executable,
        share,
    ]
    env = {**os.environ, "RELEVE_VAULT_KEY": PASSWORD}
    done = subprocess.run([str(word) for word in argv], env=env, capture_output=True, text=True, check=False)
    assert '"vault-full"' in done.stdout, done.stdout + done.stderr
    assert "code 6" in done.stdout
    assert "verify 0" in done.stdout


def _text(path: Path) -> str:
    return "\n".join(_sheets(path))


def _sheets(path: Path) -> list[str]:
    return [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(path)]


def _words(path: Path) -> str:
    from shamir_mnemonic.wordlist import WORDLIST

    text = _text(path).split("Vos mots", 1)[1].split("Réunissez", 1)[0].split()
    pairs = {
        int(text[at]): text[at + 1]
        for at in range(len(text) - 1)
        if text[at].isdigit() and text[at + 1] in WORDLIST
    }
    return " ".join(pairs[number] for number in sorted(pairs))


def test_a_list_is_kept_checked_answered_and_proved_elsewhere(
    vault: Path, share: Path, tmp_path: Path
) -> None:
    """Forgetting keeps the list; a loss is told until a person answers; the export stands on the public key alone."""
    state = tmp_path / "liste"
    assert refusal("register", "check", vault, "--state", state, code=2) == "no-register"
    saved = []
    for text in ("un", "deux", "trois"):
        (share / "projets" / "suivi.txt").write_text(text)
        saved.append(str(told("save", vault, share)["snapshot"]))
    policy = ("forget", vault, "--keep-last", "2", "--minimum-age", "0 min", "--register", state)
    assert told(*policy)["done"] is False
    assert len(list((vault / "snapshots").iterdir())) == 3
    told(*policy, "--yes")
    assert {path.name for path in (vault / "snapshots").iterdir()} == set(saved[1:])
    sound = told("register", "check", vault, "--state", state)
    assert (sound["listed"], sound["removed_by_us"]) == (2, 1)
    head = told("register", "head", "--state", state)

    (vault / "snapshots" / saved[1]).unlink()
    lost = told("register", "check", vault, "--state", state, code=3)["troubles"]
    assert isinstance(lost, list)
    assert [(one["what"], one["name"]) for one in lost] == [("lost", saved[1])]
    assert told("register", "check", vault, "--state", state, code=3)["troubles"] == lost, (
        "since the first time"
    )
    assert refusal("register", "accept", vault, "--state", state, "--by", " ", code=2) == "usage"
    told("register", "accept", vault, "--state", state, "--by", "la direction", "--words", "un essai")
    assert told("register", "check", vault, "--state", state)["listed"] == 1

    exported = releve("register", "export", "--state", state).stdout
    proof = tmp_path / "preuve.jsonl"
    proof.write_text(exported)
    known = ("register", "verify", proof, "--public-key", str(head["public_key"]))
    assert told(*known, "--head", str(head["head"]))["sound"] is True
    told(*known, "--head", f"2:{'0' * 64}", code=3)
    proof.write_text(exported.replace("la direction", "personne"))
    told(*known, code=3)
    assert refusal("register", "verify", proof, "--public-key", "abc", code=2) == "public-key"


def test_a_forgetting_that_is_refused_announces_nothing(vault: Path, share: Path, tmp_path: Path) -> None:
    """The vault or the list in somebody else's hands: what stays is not said to be on its way out, nor lost unheard."""
    state = tmp_path / "liste"
    for text in ("un", "deux"):
        (share / "projets" / "suivi.txt").write_text(text)
        told("save", vault, share)
    policy = ("forget", vault, "--keep-last", "1", "--minimum-age", "0 min", "--register", state, "--yes")
    told(*policy[:-1])
    with locks.hold(reopened(vault), exclusive=False, now=now):
        assert refusal(*policy, code=4) == "vault-locked"
    with hold(state / "thin.lock", "un autre"):
        assert refusal(*policy, code=4) == "already-running"
    assert len(list((vault / "snapshots").iterdir())) == 2
    kinds = [
        json.loads(line)["kind"]
        for line in releve("register", "export", "--state", state).stdout.splitlines()
    ]
    assert kinds == ["opened", "seen"]
