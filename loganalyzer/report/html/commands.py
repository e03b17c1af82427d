"""Commands inside the remedies of the catalogue, so that a page can offer them to be copied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: How a command begins, as remedies name them: a program with its first argument.
_START: Final = (
    r"sudo \S+|systemctl [a-z-]+|service \w+ start\b|net (?:start|stop) (?!for\b)\S|ps -\S+|az [a-z]+ [a-z]+"
    r"|vssadmin (?:list|resize) |winmgmt /\w+"
    r"|REG ADD|msdtc -\w+|MSIEXEC /\w+|portqry -\w+|bitsadmin /\w+|curl https?:|ip (?:addr|route)\b|ipconfig /\w+"
    r"|route print|iconv -\w+|chown \w+:|chmod \d+ (?!for\b)\S|Test-NetConnection \S+|Set-AzKeyVaultAccessPolicy -\w+"
    r"|Get-AzVM \||\$vm\."
)
#: Where it ends: at the end of a clause, or where prose goes on.
_END: Final = (
    r"(?=[.,;:]?\s*\Z|[.,;]\s+(?!\$vm)|\s+\(|\)|\s/\s"
    r"|\s+(?:and|or|then|for|from|as|if|when|in|on|to)\s)"
)
_COMMAND: Final = re.compile(rf"(?<![\w-])(?:{_START})(?:.*?){_END}")


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a remedy; a ``command`` can be copied."""

    text: str
    command: bool


def pieces(remedy: str) -> list[Piece]:
    """The remedy in parts, whose texts together are the remedy."""
    found = []
    at = 0
    for command in _COMMAND.finditer(remedy):
        found += [Piece(remedy[at : command.start()], False), Piece(command[0], True)]
        at = command.end()
    found.append(Piece(remedy[at:], False))
    return [piece for piece in found if piece.text]
