"""A strict rehearsal of Slack's Web API over real HTTP, on this machine. Shares no code with the notifier.

It refuses what Slack refuses, keeps what was posted in `messages`, and fails the way it was told to with `order`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from connectors.twins.slack.checking import RefusedError, blocks_of, metadata_of, text_of
from connectors.twins.slack.server import Fault, Handler, Server
from connectors.twins.slack.sockets import Sockets, pressing

TOKEN = "xoxb-twin-0000-rehearsal"  # noqa: S105 - good for this twin only
APP_TOKEN = "xapp-twin-0000-rehearsal"  # noqa: S105 - the same
TEAM = "T0000001"
HOOK = "/services/T0000001/B0000001/rehearsal"
"""The path of the twin's webhook, which posts to the first channel."""

Reply = dict[str, Any]
Arguments = Mapping[str, str]

_TS = re.compile(r"\d{10}\.\d{6}")
_REQUIRED = {
    "auth.test": (),
    "users.conversations": (),
    "chat.postMessage": ("channel",),
    "chat.update": ("channel", "ts"),
    "chat.postEphemeral": ("channel", "user"),
    "users.info": ("user",),
    "apps.connections.open": (),
    "conversations.history": ("channel",),
    "conversations.replies": ("channel", "ts"),
}
_SCOPE_OF = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
    "users.info": "users:read",
    "users.conversations": "channels:read",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
}


class SlackTwin:
    """The server. `channels` maps ids to names; the bot is in those of `member`. Pages hold `page_size` messages."""

    def __init__(self, token: str = TOKEN, page_size: int = 100) -> None:
        self.token, self.page_size = token, page_size
        self.app_token, self.app_scopes = APP_TOKEN, "connections:write"
        self.people: dict[str, Reply] = {}
        self.whispers: list[dict[str, str]] = []
        self.sockets = Sockets()
        self.channels = {"C0000001": "escalations", "C0000002": "random", "C0000003": "old"}
        self.member, self.archived = {"C0000001", "C0000003"}, {"C0000003"}
        self.private: set[str] = set()
        self.messages: dict[str, list[Reply]] = {each: [] for each in self.channels}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.retry_after, self.hang_seconds = 7, 2.0
        self.elsewhere = ""
        self.scopes = "chat:write,channels:history,channels:read"
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._lock, self._woken = threading.RLock(), threading.Event()
        self._clock = time.time()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.twin = self

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.sockets.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._woken.set()
        self.sockets.close()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base address to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/"

    def order(self, method: str, *faults: Fault) -> None:
        """The next calls of a method fail like this, one after the other."""
        self._faults[method].extend(faults)

    def posted(self, channel: str = "C0000001") -> Sequence[Reply]:
        """What stands in a channel, threads included, oldest first."""
        return list(self.messages[channel])

    def person(self, user: str, email: str, **more: object) -> None:
        """Let somebody be in the workspace."""
        profile = {"email": email, "real_name": user} if email else {"real_name": user}
        self.people[user] = {"id": user, "team_id": TEAM, "deleted": False, "is_bot": False, "profile": profile} | more

    def click(self, user: str, number: int = 0, channel: str = "C0000001") -> None:
        """Somebody presses the button of a message; raises LookupError where it has none."""
        with self._lock:
            message = self.messages[channel][number]
            pressed = next(each for block in message["blocks"] for each in block["elements"] if "action_id" in each)
            self.sockets.deliver(pressing(user, channel, message, pressed, self._tick()))

    def next_fault(self, method: str) -> Fault | None:
        """The fault that this call has to show."""
        with self._lock:
            return self._faults[method].popleft() if self._faults[method] else None

    def wait(self, seconds: float | None = None) -> bool:
        """Hang for the ordered time. True when the twin ends meanwhile."""
        return self._woken.wait(self.hang_seconds if seconds is None else seconds)

    def perform(self, method: str, token: str, arguments: dict[str, str]) -> Reply:
        """Do one call. Every fault of the request is answered as Slack answers it."""
        with self._lock:
            self.calls.append((method, arguments))
            try:
                return {"ok": True, **self._checked(method, token, arguments)(arguments)}
            except RefusedError as error:
                return {"ok": False, "error": str(error)}

    def hook(self, path: str, body: str) -> tuple[int, str]:
        """Do one post to the webhook; only the text and the blocks count."""
        with self._lock:
            if path != HOOK:
                return 404, "no_service"
            channel = min(self.channels)
            if channel in self.archived:
                return 410, "channel_is_archived"
            try:
                given = json.loads(body)
                arguments = {name: each if isinstance(each, str) else json.dumps(each) for name, each in given.items()}
                message = {"type": "message", "text": text_of(arguments), "ts": self._tick()} | blocks_of(arguments)
            except (ValueError, AttributeError):
                return 400, "invalid_payload"
            except RefusedError as error:
                return 400, str(error)
            self.messages[channel].append(message)
            return 200, "ok"

    def _checked(self, method: str, token: str, arguments: Arguments) -> Callable[[Arguments], Reply]:
        if method not in _REQUIRED:
            raise RefusedError("unknown_method")
        if not token:
            raise RefusedError("not_authed")
        self._allowed(method, token)
        for name in _REQUIRED[method]:
            if not arguments.get(name):
                raise RefusedError("channel_not_found" if name == "channel" else "invalid_arguments")
        does: Callable[[Arguments], Reply] = getattr(self, "_" + re.sub(r"\W", "_", method).lower())
        return does

    def _allowed(self, method: str, token: str) -> None:
        """Each token opens its own methods, as far as its scopes go."""
        opens = method == "apps.connections.open"
        if token not in (self.token, self.app_token):
            raise RefusedError("invalid_auth")
        if (token == self.app_token) is not opens:
            raise RefusedError("not_allowed_token_type")
        scopes = self.app_scopes if opens else self.scopes
        needed = "connections:write" if opens else _SCOPE_OF.get(method, "")
        if needed and needed not in scopes.split(","):
            raise RefusedError("missing_scope")

    def _auth_test(self, _: Arguments) -> Reply:
        return {"user": "escalations-bot", "team": "Rehearsal", "team_id": TEAM, "user_id": "U0000001"}

    def _users_conversations(self, arguments: Arguments) -> Reply:
        private = "private_channel" in arguments.get("types", "")
        if private and "groups:read" not in self.scopes.split(","):
            raise RefusedError("missing_scope")
        hidden = self.archived if arguments.get("exclude_archived") in ("1", "true") else set()
        hidden = hidden if private else hidden | self.private
        return self._page(
            "channels", [_channel(each, self.channels[each]) for each in sorted(self.member - hidden)], arguments
        )

    def _chat_postmessage(self, arguments: Arguments) -> Reply:
        channel = self._writable(arguments["channel"])
        message: Reply = {"type": "message", "bot_id": "B0000001", "text": text_of(arguments), "ts": self._tick()}
        message |= {"sent": dict(arguments)} | metadata_of(arguments) | blocks_of(arguments)
        if thread := arguments.get("thread_ts"):
            self._in_thread(channel, thread, message)
        self.messages[channel].append(message)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _in_thread(self, channel: str, thread: str, message: Reply) -> None:
        parent = self._message(channel, thread, "thread_not_found")
        message["thread_ts"] = parent["thread_ts"] = thread
        parent["reply_count"], parent["latest_reply"] = parent.get("reply_count", 0) + 1, message["ts"]

    def _chat_update(self, arguments: Arguments) -> Reply:
        channel = self._writable(arguments["channel"], by_id=True)
        message = self._message(channel, arguments["ts"], "message_not_found")
        message["text"] = text_of(arguments)
        message["edited"] = message.get("edited", 0) + 1
        message |= metadata_of(arguments) | blocks_of(arguments)
        return {"channel": channel, "ts": message["ts"], "text": message["text"]}

    def _chat_postephemeral(self, arguments: Arguments) -> Reply:
        channel = self._writable(arguments["channel"], by_id=True)
        if arguments["user"] not in self.people:
            raise RefusedError("user_not_in_channel")
        text_of(arguments), blocks_of(arguments)
        self.whispers.append({"user": arguments["user"], "channel": channel, "text": arguments["text"]})
        return {"message_ts": self._tick()}

    def _users_info(self, arguments: Arguments) -> Reply:
        if arguments["user"] not in self.people:
            raise RefusedError("user_not_found")
        person = self.people[arguments["user"]]
        if "users:read.email" in self.scopes.split(","):
            return {"user": person}
        profile = {name: value for name, value in person["profile"].items() if name != "email"}
        return {"user": {**person, "profile": profile}}

    def _apps_connections_open(self, _: Arguments) -> Reply:
        return {"url": self.sockets.ticket()}

    def _conversations_history(self, arguments: Arguments) -> Reply:
        channel = self._readable(arguments["channel"])
        shown = [each for each in self.messages[channel] if each.get("thread_ts", each["ts"]) == each["ts"]]
        return self._page("messages", _since(shown, arguments)[::-1], arguments)

    def _conversations_replies(self, arguments: Arguments) -> Reply:
        channel, thread = self._readable(arguments["channel"]), arguments["ts"]
        parent = self._message(channel, thread, "thread_not_found")
        replies = [each for each in self.messages[channel] if each.get("thread_ts") == thread and each is not parent]
        return self._page("messages", [parent, *_since(replies, arguments)], arguments)

    def _page(self, name: str, rows: Sequence[Reply], arguments: Arguments) -> Reply:
        cursor = arguments.get("cursor", "")
        if cursor and not re.fullmatch(r"at:\d+", cursor):
            raise RefusedError("invalid_cursor")
        start = int(cursor[3:] or 0) if cursor else 0
        end = start + min(self.page_size, int(arguments.get("limit", 100)))
        more = end < len(rows)
        return {
            name: [_shown(each, arguments) for each in rows[start:end]],
            "has_more": more,
            "response_metadata": {"next_cursor": f"at:{end}" if more else ""},
        }

    def _writable(self, name: str, *, by_id: bool = False) -> str:
        channel = self._known(name, by_id=by_id)
        if channel in self.archived:
            raise RefusedError("is_archived")
        return channel

    def _readable(self, name: str) -> str:
        return self._known(name, by_id=True)

    def _known(self, name: str, *, by_id: bool) -> str:
        named = {} if by_id else {f"#{each}": key for key, each in self.channels.items()}
        channel = named.get(name, name)
        if channel not in self.channels:
            raise RefusedError("channel_not_found")
        if channel not in self.member:
            raise RefusedError("not_in_channel")
        return channel

    def _message(self, channel: str, ts: str, otherwise: str) -> Reply:
        if not _TS.fullmatch(ts):
            raise RefusedError("invalid_ts")
        for message in self.messages[channel]:
            if message["ts"] == ts:
                return message
        raise RefusedError(otherwise)

    def _tick(self) -> str:
        self._clock = max(self._clock + 0.000_01, time.time())
        return f"{self._clock:.6f}"


def _channel(key: str, name: str) -> Reply:
    return {"id": key, "name": name, "is_channel": True}


def _since(rows: Sequence[Reply], arguments: Arguments) -> list[Reply]:
    oldest = float(arguments.get("oldest", 0))
    inclusive = arguments.get("inclusive") in ("1", "true")
    return [each for each in rows if float(each["ts"]) > oldest or (inclusive and float(each["ts"]) == oldest)]


def _shown(row: Reply, arguments: Arguments) -> Reply:
    """Metadata is there for those who ask for it."""
    hidden = {"sent"} if arguments.get("include_all_metadata") in ("1", "true") else {"sent", "metadata"}
    return {name: value for name, value in row.items() if name not in hidden}
