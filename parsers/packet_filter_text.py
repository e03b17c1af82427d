"""Rules of the packet filter: ``iptables-save``, ``iptables -S``, ``iptables -L``, ``nft list ruleset``.

One row a rule, in the order in which the filter looks at them, and one a chain with its policy. The Linux agent itself
adds a rule that drops what others than root send to 168.63.129.16 (linux.md section 0, fact 17): rows tell
owners apart.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Rejected, cited, console_lines, listing

_LOGSOURCE = LogSource("linux", "firewall", "config")

#: ``kind``: rule or chain. ``target``: what happens to a packet, in capitals (ACCEPT, DROP, REJECT, or another chain's
#: name as it is written); of a chain, its policy. ``destination`` and ``source``: addresses or networks, null where
#: any; ``port``: destination port or range as text, null where any. A rule for several has a row for each.
#: ``owner``: user id whose packets it is about. ``negated``: names of the columns whose condition is reversed.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "tool": pl.String(),
    "family": pl.String(),
    "table": pl.String(),
    "chain": pl.String(),
    "hook": pl.String(),
    "number": pl.Int64(),
    "target": pl.String(),
    "protocol": pl.String(),
    "source": pl.String(),
    "destination": pl.String(),
    "source_port": pl.String(),
    "port": pl.String(),
    "in_interface": pl.String(),
    "out_interface": pl.String(),
    "owner": pl.String(),
    "state": pl.String(),
    "packets": pl.Int64(),
    "bytes": pl.Int64(),
    "negated": pl.String(),
}
#: A rule for more addresses or ports than these is not spread over rows.
_MOST_ROWS = 64
#: No rule is longer; the elements of a set may be.
_LONGEST = 8192
#: Names for ports that listings print without ``-n``.
_PORTS = {"http": "80", "https": "443", "domain": "53", "ssh": "22", "bootps": "67", "bootpc": "68"}
#: Protocols as numbers, and the words for any.
_PROTOCOLS: Mapping[str, str | None] = {"all": None, "0": None, "1": "icmp", "6": "tcp", "17": "udp"}
_ANYWHERE = frozenset({"anywhere", "0.0.0.0/0", "::/0", "*", "any", "--"})

_TABLE = re.compile(r"^\*(\w+)\s*$")
_SAVED_CHAIN = re.compile(r"^:(\S+) (ACCEPT|DROP|-)(?: \[(\d+):(\d+)\])?")
_POLICY = re.compile(r"^-P (\S+) (ACCEPT|DROP|REJECT|QUEUE)(?: -c (\d+) (\d+))?\s*$")
_NEW_CHAIN = re.compile(r"^-N (\S+)\s*$")
_RULE = re.compile(r"^(?:\[(\d+):(\d+)\] )?-A (\S+)(.*)$")
_SAVED_OTHER = re.compile(r"^(?:COMMIT|#.*)?\s*$")
_LISTED_CHAIN = re.compile(
    r"^Chain (\S+) \((?:policy (\w+)(?: (\d+\w?) packets, (\d+\w?) bytes)?|\d+ references?)\)\s*$"
)
_LIST_HEAD = re.compile(
    r"^\s*(?:num\s+)?(?:(pkts)\s+bytes\s+)?target\s+prot\s+opt\s+(?:(in)\s+out\s+)?source\s+destination\s*$"
)
_NFT_TABLE = re.compile(r"^\s*table (?:(ip6?|inet|arp|bridge|netdev) )?(\S+) \{")
_NFT_CHAIN = re.compile(r"^\s*chain (\S+) \{")
_NFT_HOOK = re.compile(r"^\s*type \w+ hook (\w+)\b")
_NFT_POLICY = re.compile(r"\bpolicy (\w+);")
_NFT_SET = re.compile(r"^\s*(?:set|map|flowtable|ct \w+|counter|quota|limit) [^{]*\{")
_COMMAND = re.compile(r"^\s*(?:\[?[\w.-]+@[\w.-]+[^#$]*[#$]|[#$>])?\s*(?:sudo )?(?:ip6?tables(?:-save)?|nft)\b")
_TABLE_IN_COMMAND = re.compile(r"-t (\w+)")


@dataclass(slots=True)
class _Place:
    """Where in the listing the reader is."""

    tool: str = "iptables"
    family: str | None = None
    table: str | None = None
    chain: str | None = None
    hook: str | None = None
    #: A listing's columns before ``target``: numbers, counters, interfaces.
    numbered: bool = False
    counted: bool = False
    interfaces: bool = False
    depth: list[str] = field(default_factory=list)
    rules: dict[tuple[str | None, str | None, str | None], int] = field(default_factory=dict)

    def row(self, kind: str, **columns: object) -> dict[str, object]:
        where = {"tool": self.tool, "family": self.family, "table": self.table, "chain": self.chain, "hook": self.hook}
        return {"kind": kind, **where, **columns}

    def next_number(self) -> int:
        """The place of a rule in its chain, from 1."""
        key = (self.family, self.table, self.chain)
        self.rules[key] = self.rules.get(key, 0) + 1
        return self.rules[key]


@dataclass(frozen=True, slots=True)
class PacketFilterText:
    """Rules as the tools print them."""

    name: str = "packet_filter_text"
    title: str = "packet filter rules: iptables-save, iptables -S, iptables -L, nft list ruleset"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("iptables-save > iptables.txt", "iptables -S -t security", "nft list ruleset > nft.txt")
    strongest = 85

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The agent's own rules, and somebody else's, in every form."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By lines that only these tools print."""
        lines = [line.rstrip()[:_LONGEST] for line in text_head(head).splitlines()]
        saved = any(_SAVED_CHAIN.match(line) for line in lines) and any(_TABLE.match(line) for line in lines)
        listed = any(_LISTED_CHAIN.match(line) for line in lines) and any(_LIST_HEAD.match(line) for line in lines)
        ruled = any(_POLICY.match(line) or _NEW_CHAIN.match(line) or _is_rule(line) for line in lines)
        nft = any(_NFT_TABLE.match(line) for line in lines) and any(_NFT_CHAIN.match(line) for line in lines)
        if saved or listed or nft:  # a log may quote them
            first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
            own = _read_line(first, _Place()) is not None
            return Claim(85 if own else 45, "built like rules of a packet filter")
        return Claim(70, "rules of a packet filter") if ruled else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a rule, address and port, and one a chain; a line of no form is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        place = _place_by_name(source.name)
        rows: list[dict[str, object]] = []
        for line in lines:
            odd = "\0" in line.text or (len(line.text) > _LONGEST and place.depth[-1:] != ["set"])
            found = None if odd else _read_line(line.text.rstrip(), place)
            if found is None:
                rejected.append(Rejected(line, "no text of a rule" if odd else "no line of a packet filter"))
                continue
            rows.extend(row | cited([line]) | {"message": line.text.strip()} for row in found)
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _place_by_name(name: str) -> _Place:
    family = "ip6" if "ip6tables" in name.lower() else None
    table = re.search(r"(?:_-t_|[-_.])(filter|nat|mangle|raw|security)\b", name)
    return _Place(family=family, table=table[1] if table else None)


def _is_rule(line: str) -> bool:
    found = _RULE.match(line)
    return found is not None and re.search(r" -[jg] \S", found[4]) is not None


def _read_line(text: str, place: _Place) -> Sequence[dict[str, object]] | None:
    """The rows of a line; none for one that only tells where the next ones belong; None for no line of these tools."""
    if _COMMAND.match(text[:300]):
        table = _TABLE_IN_COMMAND.search(text)
        place.table, place.family = table[1] if table else "filter", "ip6" if "ip6tables" in text else None
        return []
    if place.depth or _NFT_TABLE.match(text):
        return _nft_line(text, place)
    if place.tool == "nft" and text:
        place.tool, place.family, place.table, place.chain, place.hook = "iptables", None, None, None, None
    return _first_of(text, place)


def _first_of(text: str, place: _Place) -> Sequence[dict[str, object]] | None:
    if _SAVED_OTHER.match(text):
        return []
    if found := _TABLE.match(text):
        place.table = found[1]
        return []
    if found := (_SAVED_CHAIN.match(text) or _POLICY.match(text)):
        place.chain = found[1]
        policy = None if found[2] == "-" else found[2]
        return [place.row("chain", target=policy, packets=_count(found[3]), bytes=_count(found[4]))]
    if found := _NEW_CHAIN.match(text):
        place.chain = found[1]
        return [place.row("chain")]
    if found := _RULE.match(text):
        place.chain = found[3]
        row = place.row("rule", number=place.next_number(), packets=_count(found[1]), bytes=_count(found[2]))
        return _spread(row | _options(found[4]))
    return _listed_line(text, place)


def _listed_line(text: str, place: _Place) -> Sequence[dict[str, object]] | None:
    if found := _LISTED_CHAIN.match(text):
        place.chain = found[1]
        return [place.row("chain", target=found[2], packets=_count(found[3]), bytes=_count(found[4]))]
    if found := _LIST_HEAD.match(text):
        place.numbered, place.counted, place.interfaces = (
            text.lstrip().startswith("num"),
            bool(found[1]),
            bool(found[2]),
        )
        return []
    if place.chain is None or (row := _listed_rule(text, place)) is None:
        return None
    return _spread(place.row("rule") | row | {"number": place.next_number()})


def _listed_rule(text: str, place: _Place) -> dict[str, object] | None:
    """A row of ``iptables -L``: fixed columns, of which the target may be empty, then the conditions in words."""
    words = text.split()
    before = place.numbered + 2 * place.counted
    option = next((n for n, word in enumerate(words[: before + 3]) if n > before and word in ("--", "-f", "!f")), None)
    if option is None or len(words) < option + 3 + 2 * place.interfaces:
        return None
    counters = words[place.numbered : before] if place.counted else (None, None)
    rest = words[option + 1 :]
    inside, outside = (rest.pop(0), rest.pop(0)) if place.interfaces else ("*", "*")
    row = _words(" ".join(rest[2:]))
    protocol = words[option - 1]
    row |= {"target": words[before] if option - 1 > before else None, "protocol": _PROTOCOLS.get(protocol, protocol)}
    row |= {"packets": _count(counters[0]), "bytes": _count(counters[1])}
    negated = str(row.get("negated") or "").split()
    for name, value in zip(
        ("source", "destination", "in_interface", "out_interface"), (*rest[:2], inside, outside), strict=True
    ):
        negated += [name] if value.startswith("!") else []
        row[name] = _address(value.lstrip("!"))
    return row | {"negated": " ".join(negated) or None}


def _words(text: str) -> dict[str, object]:
    """The conditions behind the columns: ``tcp dpt:80 owner UID match 0 ctstate NEW``."""
    row: dict[str, object] = {}
    negated = []
    for name, pattern in (
        ("port", r"\b(?:dpts?:|dports )(!?)([\w:,-]+)"),
        ("source_port", r"\b(?:spts?:|sports )(!?)([\w:,-]+)"),
        ("owner", r"(?:(!) ?)?(?:owner )?UID match (\S+)"),
        ("state", r"\b(?:ctstate|state) (!?)(\S+)"),
    ):
        if found := re.search(pattern, text):
            row[name] = found[2]
            negated += [name] if found[1] else []
    return row | {"negated": " ".join(negated)}


_OPTIONS = {
    **{
        "-j": "target",
        "--jump": "target",
        "-g": "target",
        "--goto": "target",
        "-p": "protocol",
        "--protocol": "protocol",
    },
    **{"-s": "source", "--source": "source", "-d": "destination", "--destination": "destination"},
    **{"--dport": "port", "--dports": "port", "--destination-port": "port", "--destination-ports": "port"},
    **{"--sport": "source_port", "--sports": "source_port", "--ports": "port"},
    **{
        "-i": "in_interface",
        "--in-interface": "in_interface",
        "-o": "out_interface",
        "--out-interface": "out_interface",
    },
    **{"--uid-owner": "owner", "--ctstate": "state", "--state": "state"},
}


def _options(text: str) -> dict[str, object]:
    """The options of a rule as columns."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    row: dict[str, object] = {}
    negated = []
    for place, word in enumerate(words):
        column = _OPTIONS.get(word)
        if column is None or column in row or place + 1 >= len(words):
            continue
        value = words[place + 1]
        if value == "!" and place + 2 < len(words):  # before iptables 1.4.3 the mark stood behind the option
            value, reversed_ = words[place + 2], True
        else:
            reversed_ = place > 0 and words[place - 1] == "!"
        row[column] = _address(value) if column in ("source", "destination") else value
        negated += [column] if reversed_ else []
    return row | {"negated": " ".join(negated) or None}


def _nft_line(text: str, place: _Place) -> Sequence[dict[str, object]] | None:
    """Lines of ``nft list ruleset``: blocks in braces. What is neither table nor chain is passed over."""
    place.tool = "nft"
    if found := _NFT_TABLE.match(text):
        place.depth, place.family, place.table, place.chain = ["table"], found[1] or "ip", found[2], None
        return _closed(text, place)
    if found := _NFT_CHAIN.match(text):
        place.depth.append("chain")
        place.chain, place.hook = found[1], None
        return _closed(text, place)
    if place.depth[-1] == "chain" and (found := _NFT_HOOK.match(text)):
        place.hook = found[1]
        policy = _NFT_POLICY.search(text)
        return [place.row("chain", target=policy[1].upper() if policy else None)]
    if text.strip() == "}":
        place.depth.pop()
        place.chain = place.chain if "chain" in place.depth else None
        return []
    if _NFT_SET.match(text):
        place.depth.append("set")
        return _closed(text, place)
    if not text.strip() or text.strip().startswith("#") or place.depth[-1] != "chain":
        return []
    return _spread(place.row("rule", number=place.next_number()) | _nft_rule(text.strip()))


def _closed(text: str, place: _Place) -> Sequence[dict[str, object]]:
    """A block that ends on the line on which it begins."""
    if text.count("{") == text.count("}"):
        place.depth.pop()
    return []


_NFT_VERDICT = re.compile(r"(?:^|\s)(accept|drop|reject|return|queue|continue|masquerade|(?:jump|goto) (\S+))(?=\s|$)")
_NFT_VALUE = r"(?P<not>!= )?(?P<value>\{[^{}]*\}|\S+)"
_NFT_CONDITIONS = (
    ("destination", r"\bip6? daddr "),
    ("source", r"\bip6? saddr "),
    ("port", r"\b(?:tcp|udp|sctp|th) dport "),
    ("source_port", r"\b(?:tcp|udp|sctp|th) sport "),
    ("owner", r"\b(?:meta )?skuid "),
    ("in_interface", r"\b(?:meta )?iif(?:name)? "),
    ("out_interface", r"\b(?:meta )?oif(?:name)? "),
    ("state", r"\bct state "),
    ("protocol", r"\b(?:meta l4proto|ip protocol|ip6 nexthdr) "),
)


def _nft_rule(text: str) -> dict[str, object]:
    plain = re.sub(r'"[^"]*"', lambda found: found[0].strip('"').replace(" ", "_"), text)
    row: dict[str, object] = {}
    negated = []
    for name, pattern in _NFT_CONDITIONS:
        if found := re.search(pattern + _NFT_VALUE, plain):
            value = found["value"].strip("{} ").replace(" ", "")
            value = value.upper() if name == "state" else value
            row[name] = _address(value) if name in ("source", "destination") else value
            negated += [name] if found["not"] else []
    if "protocol" not in row and (found := re.search(r"\b(tcp|udp|sctp) [sd]port ", plain)):
        row["protocol"] = found[1]
    if found := re.search(r"\bcounter packets (\d+) bytes (\d+)", plain):
        row |= {"packets": _count(found[1]), "bytes": _count(found[2])}
    if found := _NFT_VERDICT.search(plain.split(" comment ")[0]):
        row["target"] = found[2] or found[1].upper()
    return row | {"negated": " ".join(negated) or None}


def _spread(row: dict[str, object]) -> Sequence[dict[str, object]]:
    """A row for each destination and each port of a rule that names several."""
    rows = [row]
    for name in ("destination", "port"):
        named = [one for one in str(row.get(name) or "").split(",") if one]
        values = [_port(one) if name == "port" else _address(one) for one in named]
        if values and len(values) * len(rows) <= _MOST_ROWS:
            rows = [one | {name: value} for one in rows for value in values]
    return rows


def _port(text: str) -> str:
    """A port as a number, a range as ``80-90``."""
    return _PORTS.get(text, text.replace(":", "-"))


def _address(text: str) -> str | None:
    """An address without the mask of a single host; None where it is any."""
    if text in _ANYWHERE:
        return None
    return text.removesuffix("/32").removesuffix("/255.255.255.255").removesuffix("/128")


def _count(text: str | None) -> int | None:
    """A counter, which listings shorten to thousands (K) and millions."""
    found = re.fullmatch(r"(\d{1,15})([KMGT]?)", text or "")
    return int(found[1]) * 1000 ** " KMGT".index(found[2] or " ") if found else None


_SAVED_TEXT = (
    "# Generated by iptables-save v1.8.7 on Sat Mar  1 02:10:03 2025\n*security\n:INPUT ACCEPT [10:600]\n"
    ":OUTPUT ACCEPT [20:1200]\n"
    "-A OUTPUT -d 168.63.129.16/32 -p tcp -m owner --uid-owner 0 -j ACCEPT\n"
    "[3:180] -A OUTPUT -d 168.63.129.16/32 -p tcp -m conntrack --ctstate INVALID,NEW -j DROP\n"
    "COMMIT\n*filter\n:OUTPUT DROP [0:0]\n:mine - [0:0]\n"
    '-A OUTPUT ! -d 10.0.0.0/8 -p tcp -m multiport --dports 80,32526 -m comment --comment "not -j DROP" -j REJECT\n'
    "COMMIT\n"
)
_LISTED_TEXT = (
    "Chain OUTPUT (policy ACCEPT 52 packets, 3K bytes)\n"
    "num   pkts bytes target     prot opt in     out     source               destination\n"
    "1        0     0 ACCEPT     tcp  --  *      *       0.0.0.0/0            168.63.129.16        owner UID match 0\n"
    "2       12   720 DROP       tcp  --  *      eth0    0.0.0.0/0            168.63.129.16        tcp dpt:80\n\n"
    "Chain mine (0 references)\ntarget     prot opt source               destination\n"
    "REJECT     all  --  anywhere             !10.0.0.0/8           reject-with icmp-port-unreachable\n"
    "DROP       tcp  --  anywhere             168.63.129.16        tcp dpt:http ctstate NEW\n"
)
_NFT_TEXT = (
    "table inet filter {\n\tset blocked {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1 }\n\t}\n"
    "\tchain output {\n\t\ttype filter hook output priority filter; policy drop;\n"
    '\t\tip daddr 168.63.129.16 tcp dport { 80, 32526 } counter packets 5 bytes 300 drop comment "accept nothing"\n'
    "\t\tmeta skuid != 0 ip daddr 168.63.129.16 reject with icmp type port-unreachable\n"
    "\t\tjump other\n\t}\n\tchain other {\n\t}\n}\n"
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "iptables-save: the agent's own rules, and a reversed one for two ports",
            "iptables.txt",
            _SAVED_TEXT.encode() + b"what is this\n",
            (
                {"kind": "chain", "tool": "iptables", "table": "security", "chain": "INPUT", "target": "ACCEPT"},
                {"kind": "chain", "chain": "OUTPUT", "packets": 20, "bytes": 1200},
                {
                    "kind": "rule",
                    "table": "security",
                    "chain": "OUTPUT",
                    "number": 1,
                    "target": "ACCEPT",
                    "protocol": "tcp",
                    "destination": "168.63.129.16",
                    "owner": "0",
                    "port": None,
                    "negated": None,
                },
                {"number": 2, "target": "DROP", "state": "INVALID,NEW", "packets": 3, "owner": None},
                {"kind": "chain", "table": "filter", "chain": "OUTPUT", "target": "DROP"},
                {"kind": "chain", "chain": "mine", "target": None},
                {"target": "REJECT", "destination": "10.0.0.0/8", "port": "80", "negated": "destination", "number": 1},
                {"target": "REJECT", "port": "32526", "number": 1},
            ),
            rejected=1,
        ),
        Sample(
            "iptables -S behind its command",
            "firewall.txt",
            b"$ sudo iptables -S -t security\n-P OUTPUT ACCEPT\n-N mine\n"
            b"-A OUTPUT -d 168.63.129.16/32 -p tcp -m tcp --dport 80:90 -j DROP\n",
            (
                {"kind": "chain", "table": "security", "chain": "OUTPUT", "target": "ACCEPT"},
                {"kind": "chain", "chain": "mine", "target": None},
                {"table": "security", "target": "DROP", "destination": "168.63.129.16", "port": "80-90"},
            ),
        ),
        Sample(
            "iptables -L with and without numbers and counters",
            "iptables-list.txt",
            _LISTED_TEXT.encode(),
            (
                {"kind": "chain", "chain": "OUTPUT", "target": "ACCEPT", "packets": 52, "bytes": 3000},
                {"target": "ACCEPT", "destination": "168.63.129.16", "owner": "0", "source": None, "port": None},
                {"target": "DROP", "port": "80", "out_interface": "eth0", "packets": 12, "number": 2},
                {"kind": "chain", "chain": "mine", "target": None},
                {"target": "REJECT", "protocol": None, "destination": "10.0.0.0/8", "negated": "destination"},
                {"target": "DROP", "destination": "168.63.129.16", "port": "80", "state": "NEW", "packets": None},
            ),
        ),
        Sample(
            "nft list ruleset",
            "nft.txt",
            _NFT_TEXT.encode(),
            (
                {
                    "kind": "chain",
                    "tool": "nft",
                    "family": "inet",
                    "table": "filter",
                    "target": "DROP",
                    "hook": "output",
                },
                {
                    "kind": "rule",
                    "chain": "output",
                    "target": "DROP",
                    "destination": "168.63.129.16",
                    "protocol": "tcp",
                    "port": "80",
                    "packets": 5,
                },
                {"target": "DROP", "port": "32526", "number": 1},
                {"target": "REJECT", "owner": "0", "negated": "owner", "number": 2},
                {"target": "other", "destination": None},
            ),
        ),
    )


parser: Parser = PacketFilterText()
