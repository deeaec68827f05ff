"""What is done on a machine: run a program, read, write and remove a file.

The local host calls `Machine` in its own process. For a distant one this very file is sent, as
source, to the `python3` found there and answers framed requests on its standard streams. Hence two
rules: the standard library only, and nothing newer than Python 3.8.

A request is carried out in a thread of its own, so that a clone of an hour does not hold up a look
of a millisecond. When the caller goes away (end of input), the programs that still run for it are
killed: a run that starts again must never meet its own ghost writing in a data folder.
"""

# Paths are plain text that came over the wire, and pathlib costs a tenth of the agent's start.
# ruff: noqa: PTH105, PTH108, PTH110, PTH112, PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import secrets
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from typing import IO, Any, Callable, Iterator, Mapping, NoReturn, Sequence  # noqa: UP035 - Python 3.8

MAGIC = b"\x00releve-agent-1\n"  # what a login script prints before it is skipped
_FRAME = struct.Struct(">IQ")  # bytes of JSON, bytes of body
_MAX_HEADER = 64 * 2**20  # bytes; more is not one of our frames
_LONGEST_WAIT = 2_000_000.0  # seconds: poll(2) counts milliseconds in 32 bits
_REAP = 5.0  # seconds given to a killed program to disappear (a disk in distress can hold it)
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Failed(Exception):
    """Something could not be done. `code` is stable, `detail` holds facts as text."""

    def __init__(self, code: str, **detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class Machine:
    """This machine. `root`, when given, must exist for anything to be done.

    `tied`: programs die with this process, kill -9 included (needs `setpriv` of util-linux; without
    it they are only stopped on an orderly end).
    """

    def __init__(self, root: str = "", *, tied: bool = False) -> None:
        self._root = root
        self._tie = shutil.which("setpriv", path=_SYSTEM_PATH) if tied else None
        self._running: set[int] = set()
        self._closed = False
        self._lock = threading.Lock()

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, bytes]:
        """Exit code (negative: the signal), standard output and error.

        The environment is clean and the same on every machine: PATH, HOME, USER, LOGNAME, LANG, and
        `env`. Past `timeout` seconds the whole process group is killed. Raises `Failed`.
        """
        if not argv:
            raise Failed("argument-invalid", reason="aucun programme")
        with self._present():
            return self._run(list(argv), stdin, user, timeout, env or {})

    def _run(
        self, argv: list[str], stdin: bytes, user: str, timeout: float, env: Mapping[str, str]
    ) -> tuple[int, bytes, bytes]:
        account = account_of(user, os.geteuid())
        environment = _environment(account, env)
        # Memory files and not pipes: a daemon left behind by the program cannot hold us, and no
        # amount of output can block it.
        with _memory(stdin) as given, _memory() as out, _memory() as err:
            process = self._start(argv, (given, out, err), account, environment)
            try:
                ended = _ended(process.pid, timeout)
            finally:
                self._finish(process)
            stdout, stderr = _content(out), _content(err)
        if not ended:
            raise Failed("host-timeout", program=argv[0], seconds=f"{timeout:g}", stderr=_tail(stderr))
        if self._tie and process.returncode in (126, 127) and stderr.startswith(b"setpriv: "):
            if b"failed to execute" not in stderr:  # it could not become the account
                raise Failed("program-failed", program=argv[0], reason=_tail(stderr))
            missing = process.returncode == 127
            raise Failed("program-missing" if missing else "program-denied", program=argv[0])
        return process.returncode, stdout, stderr

    def _start(
        self,
        argv: list[str],
        streams: tuple[int, int, int],
        account: pwd.struct_passwd | None,
        environment: dict[str, str],
    ) -> subprocess.Popen[bytes]:
        real = argv
        if self._tie:
            if shutil.which(argv[0], path=environment["PATH"]) is None and not os.path.exists(argv[0]):
                raise Failed("program-missing", program=argv[0])
            # The parent-death signal comes when the *thread* that started the program ends; ours
            # waits for it, so this is the end of the process. The account is setpriv's to take too:
            # Popen's own `user` makes it fork instead of vfork, and copying the page tables of a
            # worker of 150 MB took 12 ms a program instead of 3.
            real = [self._tie, *_as_options(account), "--pdeathsig", "KILL", "--", *argv]
        try:
            with self._lock:
                if self._closed:
                    raise Failed("agent-fault", reason="l'agent s'arrête")
                process = subprocess.Popen(
                    real,
                    stdin=streams[0],
                    stdout=streams[1],
                    stderr=streams[2],
                    cwd="/",
                    env=environment,
                    start_new_session=True,
                    **({} if self._tie else _identity(account)),
                )
                self._running.add(process.pid)
        except FileNotFoundError:
            raise Failed("program-missing", program=argv[0]) from None
        except PermissionError:
            raise Failed("program-denied", program=argv[0]) from None
        except OSError as error:
            raise Failed("program-failed", program=argv[0], reason=_why(error)) from None
        except ValueError as error:  # a null byte
            raise Failed("argument-invalid", reason=str(error)) from None
        return process

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        """Kill what still runs, then reap. A process not yet reaped keeps its number: no mistake."""
        with self._lock:
            if not _ended(process.pid, 0):
                _kill_group(process.pid)
            self._running.discard(process.pid)
        if _ended(process.pid, _REAP):
            process.wait()

    def kill_all(self) -> None:
        """Kill every program that still runs for a request; no other one starts."""
        with self._lock:
            self._closed = True
            for pid in self._running:
                _kill_group(pid)

    def read(self, path: str) -> bytes | None:
        """Bytes of a file; None when there is none. Raises `Failed`."""
        with self._present(), _speaking_of(path):
            try:
                with open(_absolute(path), "rb") as file:
                    return file.read()
            except (FileNotFoundError, NotADirectoryError):
                self._require_root()
                return None

    def folder(self, path: str) -> int | None:
        """Permissions of a folder; None when there is no folder of that name. Raises `Failed`."""
        with self._present(), _speaking_of(path):
            try:
                mode = os.stat(_absolute(path)).st_mode
            except (FileNotFoundError, NotADirectoryError):
                self._require_root()
                return None
            return stat.S_IMODE(mode) if stat.S_ISDIR(mode) else None

    def write(self, path: str, data: bytes, *, user: str = "", mode: int = 0o600) -> None:
        """Write a file whole, owned by `user`: on any error the old content stands. Raises `Failed`."""
        account = account_of(user, os.geteuid())
        with self._present(), _speaking_of(path):
            folder, name = os.path.split(_absolute(path))
            temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}.tmp")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with open(handle, "wb", buffering=0) as file:
                    left = memoryview(data)
                    while left:
                        left = left[file.write(left) :]
                    if account is not None:
                        os.fchown(handle, account.pw_uid, account.pw_gid)
                    os.fchmod(handle, mode)
                    os.fsync(handle)
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
            _sync_folder(folder)

    def remove(self, path: str) -> None:
        """Remove a file, if there is one, for good. Raises `Failed`."""
        with self._present(), _speaking_of(path):
            try:
                os.unlink(_absolute(path))
            except (FileNotFoundError, NotADirectoryError):
                return
            _sync_folder(os.path.dirname(path))

    @contextlib.contextmanager
    def _present(self) -> Iterator[None]:
        """The root must stand before; and a failure after it went away is the loss of the machine."""
        self._require_root()
        try:
            yield
        except Failed:
            self._require_root()
            raise

    def _require_root(self) -> None:
        if self._root and not os.path.isdir(self._root):
            raise Failed("host-gone", root=self._root)


def account_of(user: str, me: int) -> pwd.struct_passwd | None:
    """The account to become, or None when `user` is empty or already ours. `me`: our user number.

    Raises `Failed` when the account does not exist, or when we have no right to become it.
    """
    if not user:
        return None
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Failed("user-unknown", user=user) from None
    if account.pw_uid == me:
        return None
    if me != 0:
        raise Failed("user-refused", user=user, me=_name_of(me))
    return account


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _environment(account: pwd.struct_passwd | None, extra: Mapping[str, str]) -> dict[str, str]:
    if account is None:
        name = _name_of(os.geteuid())
        home = os.environ.get("HOME", "/")
        path = os.environ.get("PATH", "")
        path = f"{path}:{_SYSTEM_PATH}" if path else _SYSTEM_PATH
    else:
        name, home, path = account.pw_name, account.pw_dir, _SYSTEM_PATH
    return {"PATH": path, "HOME": home, "USER": name, "LOGNAME": name, "LANG": "C.UTF-8", **extra}


def _as_options(account: pwd.struct_passwd | None) -> list[str]:
    """What setpriv needs to become `account`. It sets the parent-death signal after that."""
    if account is None:
        return []
    groups = ",".join(str(group) for group in os.getgrouplist(account.pw_name, account.pw_gid))
    return ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--groups", groups]


def _identity(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """What Popen needs to become `account` where there is no setpriv (nor, often, `su`)."""
    if account is None:
        return {}
    uid, gid = account.pw_uid, account.pw_gid
    groups = os.getgrouplist(account.pw_name, gid)
    if sys.version_info >= (3, 9):  # noqa: UP036 - see the top of the file
        return {"user": uid, "group": gid, "extra_groups": groups}

    def become() -> None:  # only in the agent of an old machine
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)

    return {"preexec_fn": become}


@contextlib.contextmanager
def _memory(content: bytes = b"") -> Iterator[int]:
    handle = os.memfd_create("releve")
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def _content(handle: int) -> bytes:
    size, parts = os.fstat(handle).st_size, []
    offset = 0
    while offset < size:
        part = os.pread(handle, size - offset, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _tail(stderr: bytes) -> str:
    return stderr.decode("utf-8", "replace").strip()[-300:]


def _ended(pid: int, timeout: float) -> bool:
    """Whether our child has ended within `timeout` seconds. It is left for its owner to reap."""
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):  # Python 3.8, or Linux before 5.3
        return _ended_by_polling(pid, timeout)
    try:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        return bool(poller.poll(int(min(max(timeout, 0), _LONGEST_WAIT) * 1000)))
    finally:
        os.close(handle)


def _ended_by_polling(pid: int, timeout: float) -> bool:
    until = time.monotonic() + timeout
    while True:
        try:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return True
        except ChildProcessError:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise Failed("argument-invalid", reason=f"chemin non absolu : {path!r}")
    return path


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _speaking_of(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _fail(path, error)


def _fail(path: str, error: OSError) -> NoReturn:
    if error.errno in _NO_ROOM:
        code = "disk-full"
    elif isinstance(error, PermissionError) or error.errno == errno.EROFS:
        code = "file-denied"
    elif isinstance(error, (FileNotFoundError, NotADirectoryError)):
        code = "folder-missing"
    else:
        code = "file-failed"
    raise Failed(code, path=path, reason=_why(error)) from None


def _why(error: OSError) -> str:
    return error.strerror or str(error)


# --- the wire ---------------------------------------------------------------------------------


def pack(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame: two lengths, a JSON object (ASCII), raw bytes."""
    text = json.dumps(header).encode("ascii")
    return _FRAME.pack(len(text), len(body)) + text + body


def take(read: Callable[[int], bytes]) -> tuple[dict[str, Any], int] | None:
    """The next header, and how many bytes of body follow; None at the end.

    `read(n)` gives exactly n bytes, or fewer at the end. Raises ValueError when it is not a frame.
    """
    start = read(_FRAME.size)
    if len(start) < _FRAME.size:
        return None
    size, body_size = _FRAME.unpack(start)
    if size > _MAX_HEADER:
        raise ValueError("not a frame")
    text = read(size)
    if len(text) < size:
        return None
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("not a frame")
    return header, body_size


def perform(machine: Machine, asked: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Carry out one request; the answer's header and body. Failures are answers too."""
    try:
        return _perform(machine, asked, body)
    except Failed as failed:
        return {"failed": failed.code, "detail": failed.detail}, b""
    except Exception as error:  # noqa: BLE001 - an agent that dies would hide it: the caller gets it whole
        return {"failed": "agent-fault", "detail": {"reason": f"{type(error).__name__}: {error}"}}, b""


def _perform(machine: Machine, asked: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    verb = asked["do"]
    if verb == "run":
        code, out, err = machine.run(
            asked["argv"], stdin=body, user=asked["user"], timeout=asked["timeout"], env=asked["env"]
        )
        return {"code": code, "out": len(out)}, out + err
    if verb == "read":
        data = machine.read(asked["path"])
        return {"found": data is not None}, data or b""
    if verb == "folder":
        return {"mode": machine.folder(asked["path"])}, b""
    if verb == "write":
        machine.write(asked["path"], body, user=asked["user"], mode=asked["mode"])
    elif verb == "remove":
        machine.remove(asked["path"])
    else:
        raise Failed("agent-fault", reason=f"verbe inconnu : {verb}")
    return {}, b""


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer requests until the end of `source`. The first frame is the configuration."""
    first = take(source.read)
    if first is None:
        return
    machine = Machine(first[0].get("root", ""))
    lock = threading.Lock()

    def say(header: Mapping[str, Any], body: bytes) -> None:
        with lock, contextlib.suppress(OSError):  # nobody listens any more: the end of input follows
            sink.write(pack(header, body))
            sink.flush()

    def answer(asked: dict[str, Any], body: bytes) -> None:
        header, data = perform(machine, asked, body)
        say({"id": asked["id"], **header}, data)

    sink.write(MAGIC)
    say({"id": 0, "python": sys.version.split()[0], "pid": os.getpid()}, b"")
    while True:
        frame = take(source.read)
        if frame is None:
            break
        asked, size = frame
        body = source.read(size)
        if len(body) < size:
            break
        threading.Thread(target=answer, args=(asked, body), daemon=True).start()
    machine.kill_all()


def _main() -> None:
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not break the frames
    os.chdir("/")
    try:
        serve(sys.stdin.buffer, sink)
    finally:
        os._exit(0)  # daemon threads may still hold a program that cannot die


if __name__ == "__main__":
    _main()
