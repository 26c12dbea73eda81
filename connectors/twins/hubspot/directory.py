"""Who and what there is: owners, pipelines, the account, its currency.

Sources: "Owners", "Pipelines", "Account information" and "Multicurrency" of HubSpot's API guides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import not_found
from connectors.twins.hubspot.objects import Objects, bounded
from connectors.twins.hubspot.schema import Portal, Stage
from connectors.twins.web import Reply

OWNERS_PAGE = 500


class Directory:
    """Answers below /owners, /pipelines, /account-info, /settings and /schemas."""

    def __init__(self, portal: Portal, objects: Objects, clock: Callable[[], datetime]) -> None:
        self.portal, self.objects, self.clock = portal, objects, clock

    def owners(self, ask: Ask) -> Reply:
        """A page of owners, or one."""
        if ask.method != "GET":
            raise not_found()
        archived = ask.one("archived") == "true"
        if ask.parts:
            owner = self.portal.owners.get(ask.parts[0])
            if owner is None or owner["archived"] is not archived:
                raise not_found()
            return Reply.of(owner)
        found = [each for each in self.portal.owners.values() if each["archived"] is archived]
        found = [each for each in found if ask.one("email") in ("", each["email"])]
        start, limit = int(ask.one("after", "0") or 0), bounded(ask.one("limit", "100"), OWNERS_PAGE)
        told: dict[str, Any] = {"results": found[start : start + limit]}
        if start + limit < len(found):
            told["paging"] = {"next": {"after": str(start + limit), "link": f"?after={start + limit}"}}
        return Reply.of(told)

    def pipelines(self, ask: Ask) -> Reply:
        """The pipelines of an object, one, or its stages."""
        if ask.method != "GET" or not ask.parts:
            raise not_found()
        pipelines = self.portal.pipelines.get(self.objects.type(ask.parts[0]).name, {})
        shown = [_pipeline(name, stages) for name, stages in pipelines.items()]
        if len(ask.parts) == 1:
            return Reply.of({"results": shown})
        one = next((each for each in shown if each["id"] == ask.parts[1]), None)
        if one is None:
            raise not_found()
        return Reply.of({"results": one["stages"]} if ask.parts[2:] == ("stages",) else one)

    def account(self, ask: Ask) -> Reply:
        """What the account is, its currency and zone."""
        if ask.method != "GET" or ask.parts != ("details",):
            raise not_found()
        offset = self.clock().astimezone(ZoneInfo(self.portal.zone)).utcoffset()
        assert offset is not None
        hours, minutes = divmod(int(offset.total_seconds()) // 60, 60)
        return Reply.of(
            {
                "portalId": self.portal.portal_id,
                "accountType": "STANDARD",
                "timeZone": self.portal.zone,
                "companyCurrency": self.portal.currency,
                "additionalCurrencies": [],
                "utcOffset": f"{hours:+03d}:{minutes:02d}",
                "utcOffsetMilliseconds": int(offset.total_seconds() * 1000),
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )

    def settings(self, ask: Ask) -> Reply:
        """The company's currency."""
        if ask.method != "GET" or ask.parts[-1:] != ("company-currency",):
            raise not_found()
        return Reply.of({"currencyCode": self.portal.currency})

    def schemas(self, ask: Ask) -> Reply:
        """The objects that the portal's people made up."""
        custom = [each for each in self.portal.types.values() if each.type_id.startswith("2-")]
        shown = [
            {
                "id": each.type_id.removeprefix("2-"),
                "objectTypeId": each.type_id,
                "name": each.singular,
                "fullyQualifiedName": f"p{self.portal.portal_id}_{each.singular}",
                "labels": {"singular": each.singular.title(), "plural": each.name.title()},
                "requiredProperties": list(each.required),
                "archived": False,
            }
            for each in custom
        ]
        if ask.method != "GET":
            raise not_found()
        if not ask.parts:
            return Reply.of({"results": shown})
        wanted = self.objects.type(ask.parts[0]).type_id
        return Reply.of(next(each for each in shown if each["objectTypeId"] == wanted))


def _pipeline(name: str, stages: tuple[Stage, ...]) -> dict[str, Any]:
    shown = [
        {
            "id": each.stage_id,
            "label": each.label,
            "displayOrder": order,
            "metadata": {"isClosed": str(each.closed).lower(), "ticketState": "CLOSED" if each.closed else "OPEN"},
            "archived": False,
        }
        for order, each in enumerate(stages)
    ]
    return {"id": name, "label": name, "displayOrder": 0, "stages": shown, "archived": False}
