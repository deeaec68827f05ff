"""The seal around every byte of the vault: AES-256-CTR, then Poly1305-AES over what is stored.

Source: restic's design document, "Keys, Encryption and MAC". A sealed object is
`iv (16) || ciphertext || mac (16)`. The MAC covers the ciphertext and, through its one-time key,
the IV. Nothing binds an object to its name: whoever reads a blob compares its hash with its id.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from releve.adapters.vault.scratch import PIECE

OVERHEAD = 32  # bytes that a seal adds
_IV = 16
_MAC = 16


class Forged(Exception):
    """The bytes were not sealed with this key, or were changed since."""


class _Contexts(threading.local):
    """Ciphers of one thread: making one costs more than sealing a small file."""

    def __init__(self) -> None:
        self.ctr: CipherContext | None = None
        self.ecb: CipherContext | None = None
        self.room = bytearray()


@dataclass(frozen=True, slots=True)
class Key:
    """`encrypt`: 32 bytes of AES-256; `k`, `r`: 16 bytes each, the two halves of the MAC key."""

    encrypt: bytes = field(repr=False)
    k: bytes = field(repr=False)
    r: bytes = field(repr=False)
    _own: _Contexts = field(default_factory=_Contexts, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError on a key of another size."""
        if (len(self.encrypt), len(self.k), len(self.r)) != (32, 16, 16):
            raise ValueError("a key is 32 + 16 + 16 bytes")

    @classmethod
    def new(cls) -> Key:
        """A key from the system's random source."""
        return cls.of(os.urandom(64))

    @classmethod
    def of(cls, raw: bytes) -> Key:
        """The key made of 64 bytes: encrypt, k, r."""
        return cls(raw[:32], raw[32:48], raw[48:64])

    def seal(self, plain: bytes) -> bytes:
        """`plain` sealed: 32 bytes longer, different each time."""
        return b"".join(self.seal_parts(plain))

    def seal_parts(self, plain: bytes) -> tuple[bytes, bytes, bytes]:
        """The same in three parts, which spares a copy of what is large."""
        iv = os.urandom(_IV)
        hidden = self._ctr(iv).update(plain)
        return iv, hidden, Poly1305.generate_tag(self._once(iv), hidden)

    def seal_pieces(self, plain: Iterable[bytes]) -> Iterator[bytes]:
        """The same of what comes in pieces and is too large for the memory."""
        iv = os.urandom(_IV)
        hiding, mac = self._alone(iv), Poly1305(self._once(iv))
        yield iv
        for piece in plain:
            hidden = hiding.update(piece)
            mac.update(hidden)
            yield hidden
        yield mac.finalize()

    def unseal_pieces(self, read: Callable[[int, int], bytes | memoryview], size: int) -> Iterator[bytes]:
        """What was sealed in `size` bytes, of which `read(at, length)` gives some, each time the same.

        Twice: the whole seal is seen to be right before the first piece is given. Raises `Forged`.
        """
        end = size - _MAC
        if end < _IV:
            raise Forged
        iv = bytes(read(0, _IV))
        mac = Poly1305(self._once(iv))
        for at in range(_IV, end, PIECE):
            mac.update(read(at, min(PIECE, end - at)))
        try:
            mac.verify(bytes(read(end, _MAC)))
        except InvalidSignature:
            raise Forged from None
        hiding = self._alone(iv)
        for at in range(_IV, end, PIECE):
            yield hiding.update(read(at, min(PIECE, end - at)))

    def unseal(self, sealed: bytes | memoryview) -> bytes:
        """What was sealed. Raises `Forged`."""
        iv, hidden = self._checked(sealed)
        return self._ctr(iv).update(hidden)

    def unseal_here(self, sealed: bytes | memoryview) -> memoryview:
        """The same in a room of this thread, which the next call in this thread uses again. Raises `Forged`."""
        iv, hidden = self._checked(sealed)
        if len(self._own.room) < len(hidden):
            self._own.room = bytearray(len(hidden) + len(hidden) // 4)
        whole = memoryview(self._own.room)
        return whole[: self._ctr(iv).update_into(hidden, whole)]

    def _checked(self, sealed: bytes | memoryview) -> tuple[bytes, memoryview]:
        if len(sealed) < OVERHEAD:
            raise Forged
        view = memoryview(sealed)
        iv, hidden = bytes(view[:_IV]), view[_IV:-_MAC]
        try:
            Poly1305.verify_tag(self._once(iv), hidden, bytes(view[-_MAC:]))
        except InvalidSignature:
            raise Forged from None
        return iv, hidden

    def _ctr(self, iv: bytes) -> CipherContext:
        made = self._own.ctr
        if made is None:
            made = self._own.ctr = Cipher(algorithms.AES(self.encrypt), modes.CTR(iv)).encryptor()
        else:
            made.reset_nonce(iv)
        return made

    def _alone(self, iv: bytes) -> CipherContext:
        """Not the thread's own, which others use between two pieces."""
        return Cipher(algorithms.AES(self.encrypt), modes.CTR(iv)).encryptor()

    def _once(self, iv: bytes) -> bytes:
        made = self._own.ecb
        if made is None:
            ecb = modes.ECB()  # noqa: S305 (one block, as Poly1305-AES asks)
            made = self._own.ecb = Cipher(algorithms.AES(self.k), ecb).encryptor()
        return self.r + made.update(iv)
