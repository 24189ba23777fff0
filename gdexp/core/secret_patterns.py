"""The patterns by which secrets are found in a text.

The prefixes of tokens are those of gitleaks' rules (github.com/gitleaks/gitleaks, MIT licence,
commit b58d3f10 of July 2026), the largest set of rules that is kept up. Here a prefix is enough:
what follows need not have its exact length, because half a token is worth hiding too.

Lookbehinds let each name be tried once, and lengths are bounded: no text takes long.
"""

from __future__ import annotations

import re

USERINFO = re.compile(
    r"(?<![\w+.-])[A-Za-z][\w+.-]{0,60}://(?!/)"
    r"((?:[^\s'\"/?#:@]{0,400}:(?!\d{1,5}[/?#])[^\s'\"]{0,4000})|[^\s'\"/?#]{0,4000})@"
)
QUERY = re.compile(r"(?<![\w+.-])[A-Za-z][\w+.-]{0,60}://[^\s'\"?#]{1,4000}\?([^\s'\"]+)")
"""The query of an address, which is not shown at all."""

PARAMETER = re.compile(r"(?<=[?&])([\w.-]{1,80})=([^\s&#'\"<>]{1,4000})")
"""A parameter of a query, also of an address without a scheme."""

QUERY_WORD = re.compile(
    r"(?i)sig|signature|hmac|key|x-(?:amz|goog)-(?:signature|credential|security-token)"
)
"""Names that announce a secret in a query and not elsewhere."""

_PREFIXES = (
    r"gh[pousr]_|github_pat_|gl(?:pat|cbt|dt|ft|ffct|imt|agent|oas|ptt|rt|soat)-|GR1348941|"
    r"xox[abeoprs][-_.]|xapp-|hf_|api_org_|[spr]k[-_]|SG\.|xkeysib-|AIza|ya29\.|LTAI|AKC|cmVmd|"
    r"AGE-SECRET-KEY-1|ABSK|EAA[AMC]|sq0atp-|sq0csp-|doo_v1_|dop_v1_|dor_v1_|dp\.pt\.|dapi|"
    r"dt0c01\.|EZAK|EZTK|duffel_(?:test|live)_|FLWSECK_TEST-|fio-u-|fo1_|fm1[ar]_|fm2_|glc_|"
    r"glsa_|HRKU-AA|ico-|lin_api_|ntn_|npm_|ops_eyJ|A3-|p8e-|pnu_|pplx-|pscale_(?:tkn|oauth|pw)_|"
    r"PMAK-|pul-|pypi-AgE|rdme_|rubygems_|tk-us-|sntry[su]_|sm_[aps]at_|shp(?:at|ca|pa|ss)_|"
    r"shippo_(?:live|test)_|CLOJARS_|sgp_|sha256~|hv[bs]\.|s-s4t2(?:ud|af)-|bedrock-api-key-|"
    r"dckr_pat_|nvapi-|gsk_|r8_"
)
TOKEN = re.compile(
    rf"(?<![A-Za-z0-9_-])(?:{_PREFIXES})(?=[\w.~+/-]{{0,99}}[0-9])[\w.~+/-]{{16,1000}}={{0,2}}"
    r"|\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,16}\b"
    r"|\bSK[0-9a-f]{32}\b|\bAPI-[A-Z0-9]{26}\b"
    r"|\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{1,4000}(?:\.[A-Za-z0-9_-]{0,4000})?"
    r"|\b[a-z0-9]{14}\.atlasv1\.[\w=-]{20,100}|(?<![\w~.])[\w~.]{3}\dQ~[\w~.-]{31,34}"
    r"|(?<=hooks\.slack\.com/)[a-z]+/[\w+/]{20,100}|(?<=/webhookb2/)[\w@/-]{20,300}"
    r"|(?<=discord\.com/api/webhooks/)[\w/-]{20,200}|(?<=api\.telegram\.org/)bot\d+:[\w-]{20,80}"
    r"|(?<![\w:])\d{8,10}:AA[\w-]{30,40}"
)
KEY_BLOCK = re.compile(
    r"-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----"
    r"(.*?)(?:-----END [A-Z ]{0,100}-----|\Z)",
    re.S,
)
SCHEME = re.compile(r"(?i)\b(bearer|basic)[ \t]{1,9}([A-Za-z0-9._~+/=-]{8,4000})")
"""A scheme of HTTP with what proves who asks: `Bearer …`."""

KEY = re.compile(r"(?i)[\"']key\\?[\"']\s{0,9}:\s{0,9}\\?[\"']([^\s\"'\\]{8,1000})\\?[\"']")

# Patterns of a name (first group) and its value (second group).
HEADER = re.compile(
    r"(?i)(?<![\w-])((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,60}(?:key|token|secret|auth))"
    r"[\"']?[ \t]{0,9}:[ \t]{0,9}[\"']?([^\"'\s][^\"'\r\n]{0,4000})"
)
_TEXT = r"\"(?:\\.|[^\"\\\n]){0,4000}\"?|'(?:\\.|[^'\\\n]){0,4000}'?"
_WORD = (
    r"(?:\$\{[^}\s]{0,200}\}|<[\w -]{1,60}>|"
    r"(?![,;&]+(?:[\s)}\]]|[\w.-]{1,100}[\"']?[:=]|$))[^\s(){}\[\]]){1,4000}"
)
ASSIGNED = re.compile(
    r"(?<![\w.@/+~-])([\w.@/+~-]+)"
    r"(?:\\{0,2}[\"']\]?\s{0,9}[:=]\s{0,9}|\s?=(?:=(?=\s?[\"']))?(?!=)\s{0,9}|:(?![\s/:=]))"
    rf"(?=({_TEXT}|{_WORD}))"
)
"""`name=value`, `name:value`, `"name": value`; the value of one may hold others."""

LINE = re.compile(r"(?m)^[ \t>|+-]{0,200}[\"']?([\w./-]{1,200})[\"']?:[ \t]{1,99}(\S.*)$")
"""A line of YAML, or of a diff of it."""

BLOCK = re.compile(
    r"(?m)^([ \t+-]{0,99}[\w./-]{1,200}):[ \t]{1,9}[|>][+-]?[ \t]*\n((?:[ \t+-]+\S.{0,4000}\n?)+)"
)
"""A text of several lines in YAML."""

PAIR = re.compile(rf"(?<=[{{,])\s{{0,9}}([\w./-]{{1,200}}):[ \t]{{1,9}}({_TEXT}|{_WORD})")
"""A pair of YAML's and Hydra's braces."""

OPTION = re.compile(r"(?<!\S)--?([A-Za-z][\w-]{1,60})[ \t]{1,9}(\"[^\"]*\"|'[^']*'|[^\s\"'-]\S*)")
MARKUP = re.compile(r"<([\w:.-]{1,80})>([^<\s][^<]{0,1000})</")
SQL = re.compile(r"(?i)\b(identified by)\s{1,9}([\"'][^\"'\n]{1,1000}[\"'])")
QUOTED = re.compile(r"\b(\w{3,60}):? (?:is |was |of |= ?)?([\"'`][^\s\"'`]{4,200}[\"'`])")
"""What a message quotes behind a name: `password 'hunter2' was refused`."""

STATED = re.compile(
    r"\b(\w{3,60})\s?(?:: | is | was )(?=\S{0,99}[0-9!@#$%^&*])([^\s\"'`(){}]{4,200})"
)
"""What a message says behind a name, if it is no word: `password: hunter2`."""

# The options of programs that hold a password.
COMMAND = re.compile(r"(?:[^\n\\]|\\\n?){0,2000}")
"""The rest of a command line, with the lines that follow a backslash."""

PROGRAMS = tuple(
    (re.compile(rf"(?<![\w-])(?:{name})(?=[ \t])"), re.compile(option))
    for name, option in (
        (
            r"curl|wget|https?|xh",
            r"(?<!\S)(?:-[A-Za-z]{0,5}[uU]|--user|--proxy-user)(?:[ \t=]{1,9}|(?=[\"'\w]))"
            r"[\"']?[^\s:\"']{0,200}:([^\s\"']{1,200})",
        ),
        (r"sshpass", r"(?<!\S)-p[ \t]?([^\s-]\S*)"),
        (r"(?:mysql|mariadb)\w*", r"(?<!\S)-p([^\s=]\S*)"),
        (r"mongo\w*", r"(?<!\S)-p[ \t]{1,9}([^\s-]\S*)"),
        (r"redis-cli", r"(?<!\S)-a[ \t]{1,9}(\S+)"),
        (r"ldap\w+", r"(?<!\S)-w[ \t]{1,9}(\S+)"),
        (r"(?:docker|podman|helm registry|az acr) login", r"(?<!\S)-p[ \t]{1,9}(\S+)"),
        (r"smbclient|rpcclient", r"(?<!\S)-U[ \t]{0,9}[^\s%]{1,99}%(\S+)"),
    )
)

# What stands in sources.
SOURCE = re.compile(
    r"(?<![\w-])([\w-]{1,200})[\"']?\]?\s{0,99}"
    r"(?:(?::=|=(?!=))\s{0,99}|(?<!pass):(?![:=])[ \t]{0,99}(?:\n\s{0,99}(?=[\"']))?)"
)
REST = re.compile(r"(?:[(\[{\\]|[|>][+-]?|\"\"\"|'{3})[ \t]{0,99}\n.*|.*")
"""The rest of a line; the next line too after an opening bracket."""

_TYPE = (
    r"[ \t]{0,9}[\"']?(?:(?:typing\.|t\.)?(?:str|int|bytes|bool|float|object|Any|None|Optional|"
    r"Sequence|Mapping|Union|Callable|list|dict|tuple|set|Path|SecretStr|(?:torch\.)?Tensor|"
    r"np\.\w{1,40}|npt\.\w{1,40})\b(?:\[[^\]\n]{0,200}\]{0,3})?[ \t|]{0,9}){1,9}[\"']?[ \t]{0,9}"
)
TYPE = re.compile(rf"{_TYPE}(?:[,):#{{]|->|$)", re.M)
TYPED = re.compile(rf"{_TYPE}=[ \t]{{0,9}}")
COUNT = re.compile(r"\s?\d{1,3}(?:[\s,;)]|$)")
READ = re.compile(r"(?:os\.)?(?:environ(?:\.get\(|\[)|getenv\()[\"']\w+[\"']\s?[)\]]")
"""A source that reads an environment variable."""

CALL = re.compile(
    r"(?:await |not |return |raise |yield |for |lambda )?[A-Za-z_][\w.]{0,200}[(\[][^'\"\n]*$", re.M
)
"""A call or an index without a text in it."""

LONG = re.compile(r"[A-Za-z0-9+/=_-]{32,}")

PLAIN = re.compile(
    r"(?i)[\"']?(?:null|none|true|false|yes|no|\.{3}|…|\*+|\$\{?[a-z_]\w*\}?|\$\{[\w:.,]+\}|%\w+%|"
    r"<[\w -]+>|\{\w*\}|\[\]|pass|return|break|continue)?[\"']?[\])}:,;.]*"
)
"""Values that are no secret: nothing, a variable, a placeholder, a mask."""
