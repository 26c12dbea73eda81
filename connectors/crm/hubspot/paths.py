"""Where HubSpot's endpoints are, by API version. Every path of this package stands here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import quote

from connectors.base import FatalError


class Endpoint(StrEnum):
    """What can be asked of HubSpot."""

    LIST = "list"
    SEARCH = "search"
    READ = "batch/read"
    UPDATE = "batch/update"
    CREATE = "batch/create"
    UPSERT = "batch/upsert"
    LINKS = "associations batch/read"
    LINK = "associations batch/associate/default"
    OWNERS = "owners"
    PIPELINES = "pipelines"
    PROPERTIES = "properties"
    PROPERTY = "property"
    NEW_PROPERTIES = "properties batch/create"
    GROUPS = "property groups"
    LISTS = "lists"
    LIST_BY_NAME = "list by name"
    ACCOUNT = "account"
    TOKEN = "token"  # noqa: S105  the name of an endpoint


def _dated(version: str) -> dict[Endpoint, str]:
    objects, links = f"/crm/objects/{version}/{{type}}", f"/crm/associations/{version}/{{type}}/{{to}}"
    properties = f"/crm/properties/{version}/{{type}}"
    return {
        **_objects(objects),
        Endpoint.LINKS: f"{links}/batch/read",
        Endpoint.LINK: f"{links}/batch/associate/default",
        Endpoint.OWNERS: f"/crm/owners/{version}",
        Endpoint.PIPELINES: f"/crm/pipelines/{version}/{{type}}",
        **_properties(properties),
        Endpoint.LISTS: f"/crm/lists/{version}",
        Endpoint.LIST_BY_NAME: f"/crm/lists/{version}/object-type-id/{{type}}/name/{{name}}",
        Endpoint.ACCOUNT: f"/account-info/{version}/details",
        Endpoint.TOKEN: f"/oauth/{version}/token",
    }


def _objects(base: str) -> dict[Endpoint, str]:
    parts = (Endpoint.SEARCH, Endpoint.READ, Endpoint.UPDATE, Endpoint.CREATE, Endpoint.UPSERT)
    return {Endpoint.LIST: base, **{each: f"{base}/{each.value}" for each in parts}}


def _properties(base: str) -> dict[Endpoint, str]:
    return {
        Endpoint.PROPERTIES: base,
        Endpoint.PROPERTY: f"{base}/{{name}}",
        Endpoint.NEW_PROPERTIES: f"{base}/batch/create",
        Endpoint.GROUPS: f"{base}/groups",
    }


_PATHS: Mapping[str, Mapping[Endpoint, str]] = {
    "2026-09": _dated("2026-09"),
    "2026-03": _dated("2026-03"),
    "v3": {
        **_objects("/crm/v3/objects/{type}"),
        Endpoint.LINKS: "/crm/v4/associations/{type}/{to}/batch/read",
        Endpoint.LINK: "/crm/v4/associations/{type}/{to}/batch/associate/default",
        Endpoint.OWNERS: "/crm/v3/owners",
        Endpoint.PIPELINES: "/crm/v3/pipelines/{type}",
        **_properties("/crm/v3/properties/{type}"),
        Endpoint.LISTS: "/crm/v3/lists",
        Endpoint.LIST_BY_NAME: "/crm/v3/lists/object-type-id/{type}/name/{name}",
        Endpoint.ACCOUNT: "/account-info/v3/details",
        Endpoint.TOKEN: "/oauth/v3/token",
    },
}

VERSIONS = tuple(_PATHS)
"""The API versions that can be chosen; the first is the default."""


class Paths:
    """The paths of one API version."""

    def __init__(self, version: str) -> None:
        if version not in _PATHS:
            raise FatalError(
                f"HubSpot has no API version {version!r} that this connector knows",
                f"set `api_version` to one of {', '.join(VERSIONS)}",
            )
        self.version = version
        self._templates = _PATHS[version]

    def path(self, endpoint: Endpoint, **parts: str) -> str:
        """One path, its parts escaped."""
        return self._templates[endpoint].format(**{name: quote(part, safe="") for name, part in parts.items()})
