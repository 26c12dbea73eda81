"""What customers might write so that it comes alive somewhere else. Each is harmless here and only looked for."""

from __future__ import annotations

from itertools import product

URL = "https://evil.example.net/x"
MARK = "pwned7"
"""Stands in every payload, so that a test can tell that it looked at the right place."""

_SLACK = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<!subteam^S1>",
    "<@U0000001>",
    "<#C0000001>",
    f"<{URL}|bank>",
    f"<{URL}>",
]
_SLACK += ["@channel", "@here", "#escalations", ":rotating_light:", "*bold*", "~gone~", "`code`", "```", "> quote"]
_SLACK += ["<!date^1^{date}|x>", f"<mailto:a@evil.example.net|x> {URL}", "&lt;!channel&gt;", "<\u200b!channel>"]
_HTML = ["<script>alert('{m}')</script>", "<img src=x onerror=alert('{m}')>", "<svg/onload=alert('{m}')>", "<b>{m}</b>"]
_HTML += [
    f"<a href='{URL}'>{{m}}</a>",
    "<a href=javascript:alert('{m}')>x</a>",
    "<iframe src='{u}'></iframe>",
    "<style>*{{}}",
]
_HTML += [
    "</table></body></html><h1>{m}</h1>",
    '"><script>{m}</script>',
    "' onmouseover='alert(1)' {m}",
    "<!--{m}",
    "]]>{m}",
]
_HTML += [
    "<base href='{u}'>",
    "<meta http-equiv=refresh content='0;url={u}'>",
    "<form action='{u}'><input name={m}></form>",
]
_HTML += [
    "<object data='{u}'>",
    "<link rel=stylesheet href='{u}'>",
    "&#60;script&#62;{m}&#60;/script&#62;",
    "<math><mi>{m}",
]
_TEMPLATE = [
    "{{{{ 7*7 }}}}{m}",
    "{{% for x in range(9) %}}{m}",
    "{{{{ ''.__class__ }}}}{m}",
    "${{7*7}}{m}",
    "#{{7*7}}{m}",
    "%s%n{m}",
]
_FORMULA = ["=cmd|' /C calc'!A0 {m}", "+1+1 {m}", "-2+3 {m}", "@SUM(1) {m}", "\t=1+1 {m}", "\r=1+1 {m}"]
_HEADER = [
    "\r\nBcc: {m}@evil.example.net",
    "\nX-Evil: {m}",
    "\r\n\r\n<html>{m}",
    "\u2028Bcc: {m}",
    "\x00{m}",
    "\x1b[2J{m}",
    "\x07{m}",
]
_ODD = [
    "\u202e{m}",
    "\u2066{m}\u2069",
    "\ud800{m}",
    "\U0001f600{m}",
    "e\u0301{m}",
    "\u200f{m}",
    "\ufeff{m}",
    "\x85{m}",
    "\x9b31m{m}",
]
_QUERY = [
    "' OR '1'='1' -- {m}",
    '"; DROP TABLE note; -- {m}',
    "%' ESCAPE '{m}",
    "\\' {m}",
    "*)(uid=*){m}",
    "../../etc/passwd {m}",
]
_WRAPPED = ["{}", "PT {}", "{} Tbk", "“{}”", "a{}b", " {} ", "{0}{0}", "PT Sinar\n{}"]


def payloads() -> list[str]:
    """All of them, in eight settings each."""
    single = [
        *_SLACK,
        *(each.format(m=MARK, u=URL) for each in (*_HTML, *_TEMPLATE, *_FORMULA, *_HEADER, *_ODD, *_QUERY)),
    ]
    return [around.format(each) + f" {MARK}" for around, each in product(_WRAPPED, single)]
