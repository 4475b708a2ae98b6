"""Pseudonyms: patient and record numbers replaced by a keyed hash, with a key that stays on the machine.

The same number gets the same pseudonym in every file on this machine, so that visits of one patient stay together;
without the key nobody can compute it from a list of numbers.
"""

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from pathlib import Path

from tcm.cases import CaseError

_MADE_BY_US = re.compile(r"row-\d+")
"""The id of a record that has none: a count of lines, nobody's number."""


def key_path() -> Path:
    """Where the key lies: in the user's own settings, outside of the project, so that it is never shared with it."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "tcm" / "pseudonyms.key"


def read_key() -> bytes:
    """The key of this machine and user; made (mode 600) when first asked for.

    Raises:
        CaseError: if it cannot be made, or is damaged (a new one would give the same patients other pseudonyms).
    """
    path = key_path()
    try:
        if not path.exists():
            _make(path)
        path.chmod(0o600)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (UnicodeDecodeError, ValueError):
        key = b""
    except OSError as error:
        raise CaseError(
            f"{path}: the key of the pseudonyms cannot be read or made ({error.strerror}); set XDG_CONFIG_HOME to a "
            "folder of yours"
        ) from None
    if len(key) != 32:
        raise CaseError(f"{path}: is no key of 64 hexadecimal digits; restore it, or delete it to begin anew")
    return key


def _make(path: Path) -> None:
    """Write a new key whole or not at all; of two processes at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, part = tempfile.mkstemp(dir=path.parent)  # mode 600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(part)


def pseudonym(number: str, kind: str, key: bytes) -> str:
    """What stands for a number: the first 64 bits of HMAC-SHA256, after a letter for the kind.

    Args:
        number: of a patient or record; one that our reader counted itself (``row-7``) stays.
        kind: ``patient`` or ``record``.

    Source:
        HMAC: RFC 2104. 64 bits: two of a million numbers share one with a probability of 3e-8.
    """
    if _MADE_BY_US.fullmatch(number):
        return number
    return f"{kind[0]}-{hmac.digest(key, f'{kind}:{number}'.encode(), hashlib.sha256).hex()[:16]}"
