"""A recovery key as words for several people: any `threshold` of them together, fewer know nothing.

SLIP-39 (Shamir's sharing over GF(256), words with a checksum), through the reference library.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from releve.domain.errors import BadInput

_BYTES = 16  # 128 bits: 20 words a person
_GROUP = 4


def draw() -> tuple[bytes, str]:
    """A new secret and the key (a password) that it stands for."""
    secret = secrets.token_bytes(_BYTES)
    return secret, password_of(secret)


def password_of(secret: bytes) -> str:
    """The password that a secret stands for: hexadecimal digits in groups of four."""
    digits = secret.hex()
    return "-".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def split(secret: bytes, *, threshold: int = 2, people: int = 3) -> list[str]:
    """One line of words a person. Raises `BadInput` when the numbers make no sense."""
    if not 2 <= threshold <= people <= 16:
        raise BadInput(
            "split-numbers",
            f"{threshold} personnes sur {people} : ce partage n'existe pas",
            hint="de 2 à 16 personnes, dont au moins 2 doivent être réunies",
        )
    (group,) = generate_mnemonics(1, [(threshold, people)], secret)
    return list(group)


def join(lines: Sequence[str]) -> str:
    """The password from the words of enough people. Raises `BadInput`, saying what is wrong."""
    try:
        return password_of(combine_mnemonics([" ".join(line.split()).lower() for line in lines]))
    except MnemonicError as error:
        unknown = [word for line in lines for word in line.lower().split() if word not in WORDLIST]
        raise BadInput(
            "words-wrong",
            "ces mots ne donnent pas la clé : il en manque, l'un est mal écrit, ou ils ne vont pas ensemble",
            hint="chaque personne a 20 mots ; vérifiez-les un à un sur sa feuille",
            context={"aucune feuille n'a ces mots": ", ".join(unknown)} if unknown else {},
        ) from error
