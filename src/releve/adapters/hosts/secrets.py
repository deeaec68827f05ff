"""Finds the value of a secret where the plan says that it is. The value never enters a message."""

from __future__ import annotations

import os
import stat

from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable
from releve.domain.os_errors import reason
from releve.domain.secret import SecretRef

_COMMAND_LIMIT = 15.0  # seconds: a vault on the network may be slow, a question to nobody never ends
_LARGEST = 64 * 1024  # bytes; more is not a password but the wrong file


def resolve(ref: SecretRef) -> str:
    """The value, its final line ends removed.

    `env:` a variable of our environment; `file:` a file that not everybody can read; `command:`
    what a program prints (no shell). Raises `BadInput` (absent, empty, not text), `Refused` (a file
    that everybody can read), `Unreachable` (the program failed).
    """
    match ref.scheme:
        case "env":
            raw = _from_environment(ref)
        case "file":
            raw = _from_file(ref)
        case "command":
            raw = _from_command(ref)
        case _:
            raise BadInput(
                "secret-scheme",
                f"« {ref.scheme}: » n'est pas une façon de désigner un secret",
                hint="écrivez env:NOM, file:/chemin ou command:programme",
            )
    return _as_text(ref, raw)


def _name(ref: SecretRef) -> str:
    """What may be shown: of a command its program alone, for its arguments belong to whoever wrote them."""
    return f"command:{ref.target.split(maxsplit=1)[0]}…" if ref.scheme == "command" else str(ref)


def _from_environment(ref: SecretRef) -> bytes:
    value = os.environb.get(os.fsencode(ref.target))
    if value is None:
        raise BadInput(
            "secret-absent",
            f"la variable {ref.target} n'est pas définie",
            hint="donnez-la à Relève par son environnement (EnvironmentFile= dans son unité systemd)",
        )
    return value


def _from_file(ref: SecretRef) -> bytes:
    try:
        handle = os.open(ref.target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise BadInput(
            "secret-absent",
            f"le fichier de secret {ref.target} ne peut pas être lu : {reason(error)}",
            hint="vérifiez le chemin et les droits pour le compte de Relève",
        ) from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise BadInput("secret-absent", f"{ref.target} n'est pas un fichier")
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            raise Refused(
                "secret-exposed",
                f"tout le monde peut lire ou changer le fichier de secret {ref.target}",
                hint=f"chmod 640 {ref.target}, puis changez ce secret : il a pu être lu",
            )
        return os.read(handle, _LARGEST + 1)
    finally:
        os.close(handle)


def _from_command(ref: SecretRef) -> bytes:
    import shlex

    from releve.adapters.hosts.agent import Failed, Machine  # the other two ways need no machine

    try:
        argv = shlex.split(ref.target)
    except ValueError:
        argv = []
    if not argv:
        raise BadInput("secret-command", f"la commande de {_name(ref)} ne se lit pas (guillemets)")
    try:
        code, out, _ = Machine().run(argv, timeout=_COMMAND_LIMIT, env=dict(os.environ))
    except Failed as failed:
        raise _command_failed(ref, failed.code) from None
    if code != 0:
        raise _command_failed(ref, f"code {code}")
    return out


def _command_failed(ref: SecretRef, why: str) -> ReleveError:
    return Unreachable(
        "secret-command-failed",
        f"la commande de secret {_name(ref)} a échoué ({why})",
        hint="lancez-la vous-même sous le compte de Relève",
        retryable=True,
    )


def _as_text(ref: SecretRef, raw: bytes) -> str:
    text: str | None
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        text = None  # that error holds the bytes: it must not be chained to ours
    if text is None or "\0" in text or len(raw) > _LARGEST:
        raise BadInput("secret-invalid", f"le secret {_name(ref)} n'est pas un texte")
    if not text:
        raise BadInput("secret-empty", f"le secret {_name(ref)} est vide")
    return text
