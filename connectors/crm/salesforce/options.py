"""What the configuration says about one Salesforce org, checked once; secrets never show in its repr."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from urllib.parse import urlsplit

from connectors.base import FatalError

_VERSION = re.compile(r"\d{2,3}\.0")
_OLDEST = 57
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HELP = "see deploy/salesforce/README.md"


class Auth(StrEnum):
    """How the worker signs in. There is no password flow: Salesforce retires it."""

    CLIENT_CREDENTIALS = "client_credentials"
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class Options:
    """One org. Times in seconds: `timeout` for one silence on the line, `deadline` for a whole answer.

    `editing_minutes`: a flag that is changed or taken away, on an account that somebody else saved within that time, is
    written with If-Unmodified-Since. `escalation`, `note` and `key` are API names, for orgs with a namespace.
    """

    instance_url: str
    client_id: str
    auth: Auth = Auth.CLIENT_CREDENTIALS
    client_secret: str = field(default="", repr=False)
    username: str = ""
    private_key: str = field(default="", repr=False)
    audience: str = ""
    api_version: str = "66.0"
    timeout: float = 20
    deadline: float = 25
    largest_answer_mb: int = 64
    bulk_above: int = 50_000
    bulk_minutes: int = 60
    editing_minutes: int = 15
    allow_loopback_http: bool = False
    escalation: str = "Escalation__c"
    note: str = "Escalation_Note__c"
    key: str = "Key__c"
    opened_field: str = "Escalation_Opened__c"
    task_key: str = "Escalation_Key__c"

    @property
    def host(self) -> str:
        """Host and port of the org, for messages."""
        return urlsplit(self.instance_url).netloc

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not stand in any message."""
        return tuple(each for each in (self.client_secret, self.private_key) if each)


_REQUIRED = ("instance_url", "client_id")
_NEEDED = {Auth.CLIENT_CREDENTIALS: ("client_secret",), Auth.JWT: ("username", "private_key")}
_KNOWN = {each.name: str(each.type) for each in fields(Options)}


def read(settings: Mapping[str, object]) -> Options:
    """Raises FatalError naming what is wrong; never shows a secret."""
    unknown = sorted(set(settings) - set(_KNOWN))
    if unknown:
        raise FatalError(f"Salesforce has no option {', '.join(unknown)}", f"it knows {', '.join(_KNOWN)}")
    missing = [name for name in _REQUIRED if not settings.get(name)]
    if missing:
        raise FatalError(f"Salesforce needs the option {', '.join(missing)}", _HELP)
    options = Options(**{name: _value(name, value) for name, value in settings.items()})  # type: ignore[arg-type]  # checked one by one
    _complete(options)
    _addressed(options)
    return options


def _value(name: str, value: object) -> object:
    wanted = _KNOWN[name]
    if name == "auth":
        return _auth(value)
    if wanted == "bool" and isinstance(value, bool):
        return value
    if wanted in ("int", "float") and isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return int(value) if wanted == "int" else float(value)
    if wanted == "str" and isinstance(value, str):
        return value.strip()
    raise FatalError(f"Salesforce option {name}: expected {_PLAIN.get(wanted, wanted)}", _HELP)


_PLAIN = {"bool": "true or false", "int": "a number above 0", "float": "a number of seconds above 0", "str": "a text"}


def _auth(value: object) -> Auth:
    try:
        return Auth(str(value))
    except ValueError:
        raise FatalError(
            f"Salesforce option auth: {value!r} is not a flow that is offered",
            f"give {' or '.join(Auth)}; a password login is not supported, because Salesforce retires it",
        ) from None


def _complete(options: Options) -> None:
    missing = [name for name in _NEEDED[options.auth] if not getattr(options, name)]
    if missing:
        raise FatalError(
            f"Salesforce with auth {options.auth} needs {', '.join(missing)}",
            f"give secrets: {{{missing[-1]}: {{env: NAME}}}}; {_HELP}",
        )
    if not _VERSION.fullmatch(options.api_version) or int(options.api_version[:-2]) < _OLDEST:
        raise FatalError(
            f"Salesforce option api_version: {options.api_version!r}", f"give {_OLDEST}.0 or later, such as '66.0'"
        )


def _addressed(options: Options) -> None:
    parts = urlsplit(options.instance_url)
    plain_but_local = parts.scheme == "http" and parts.hostname in _LOOPBACK and options.allow_loopback_http
    if (
        not (parts.scheme == "https" or plain_but_local)
        or not parts.hostname
        or parts.path.strip("/")
        or parts.username
    ):
        raise FatalError(
            f"Salesforce option instance_url: {parts.scheme}://{parts.hostname or ''}{parts.path} cannot be used",
            "give the My Domain address, such as https://acme.my.salesforce.com; plain http only goes to this machine, "
            "with allow_loopback_http: true",
        )
    if parts.hostname in ("login.salesforce.com", "test.salesforce.com"):
        raise FatalError(
            f"Salesforce option instance_url: {parts.hostname} does not serve the client credentials flow",
            "give the My Domain address, such as https://acme.my.salesforce.com",
        )
