"""The credential: a service key that never expires, or an OAuth grant whose access tokens are renewed ahead of time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from connectors.base import FatalError, RetryableError

_MARGIN = 300.0
_LATCH = 300.0
_FIRST_LIFE = 1800.0


class Credential(Protocol):
    """Something that has a bearer token."""

    def token(self) -> str:
        """A token that is good now."""
        ...

    def renew(self, rejected: str) -> bool:
        """A token was rejected: whether there is another one by now."""
        ...


class ServiceKey:
    """A service key or the token of a legacy private app: one text, exchanged only by ops."""

    def __init__(self, key: str) -> None:
        self._key = checked(key, "token")

    def token(self) -> str:
        """The key."""
        return self._key

    def renew(self, rejected: str) -> bool:
        """Whether somebody has put in another key meanwhile."""
        return self._key != rejected

    def replace(self, key: str) -> None:
        """Use another key from the next call on."""
        self._key = checked(key, "token")


class _Granted(msgspec.Struct, frozen=True):
    """HubSpot's answer; its older and its newer documentation spell the fields in two ways."""

    access_token: str = ""
    accessToken: str = ""  # noqa: N815  HubSpot's spelling
    expires_in: float = 0.0
    expiresIn: float = 0.0  # noqa: N815  HubSpot's spelling
    refresh_token: str = ""
    refreshToken: str = ""  # noqa: N815  HubSpot's spelling


class OAuthGrant:
    """Renews the access token some minutes before it ends; callers that need one at the same time share one call.

    `fetch` posts the form to HubSpot's token endpoint and returns the body. Raises FatalError for a grant that HubSpot
    rejects, and then asks again only after some minutes.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        fetch: Callable[[Mapping[str, str]], bytes],
        monotonic: Callable[[], float],
    ) -> None:
        self._client = {"client_id": checked(client_id, "client_id"), "client_secret": client_secret}
        checked(client_secret, "client_secret")
        self._refresh_token = checked(refresh_token, "refresh_token")
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0
        self._rejected: FatalError | None = None
        self._closed_until = 0.0

    def token(self) -> str:
        """A token that is good for some more minutes."""
        with self._lock:
            if not self._token or self._monotonic() >= self._good_until:
                self._ask()
            return self._token

    def renew(self, rejected: str) -> bool:
        """Fetch another token, unless another thread has done so already."""
        with self._lock:
            if self._token == rejected:
                self._ask()
            return self._token != rejected

    def _ask(self) -> None:
        if self._rejected is not None and self._monotonic() < self._closed_until:
            raise self._rejected
        form = {"grant_type": "refresh_token", **self._client, "refresh_token": self._refresh_token}
        try:
            granted = msgspec.json.decode(self._fetch(form), type=_Granted)
        except FatalError as error:
            self._rejected, self._closed_until = error, self._monotonic() + _LATCH
            raise
        except (msgspec.DecodeError, UnicodeError) as error:
            raise RetryableError("HubSpot's answer to the renewal of the access token is not understood") from error
        self._keep(granted)

    def _keep(self, granted: _Granted) -> None:
        token = granted.access_token or granted.accessToken
        if not token:
            raise RetryableError("HubSpot answered the renewal of the access token without a token")
        life = granted.expires_in or granted.expiresIn or _FIRST_LIFE
        self._token = checked(token, "access token")
        self._refresh_token = granted.refresh_token or granted.refreshToken or self._refresh_token
        self._good_until = self._monotonic() + max(life - _MARGIN, life / 2)
        self._rejected = None


def checked(key: str, name: str) -> str:
    """A secret that can stand in a header. Raises FatalError, which never shows it."""
    if not key:
        raise FatalError(f"HubSpot has no {name}", f"give the connector `secrets: {{{name}: {{env: NAME}}}}`")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise FatalError(f"the {name} of HubSpot has characters that none has", "copy it again, without line breaks")
    return key
