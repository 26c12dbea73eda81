"""Conditions as HubSpot's search takes them: groups joined by OR, each of filters joined by AND, within its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from connectors.base import Value
from connectors.crm.hubspot.portal import Property
from connectors.crm.hubspot.values import written

Filter = dict[str, object]
Where = Mapping[str, Sequence[Value]]

_GROUPS = 5
_FILTERS = 18
_EMPTY = frozenset({None, False})


def searches(where: Sequence[Where], properties: Mapping[str, Property]) -> Iterator[list[list[Filter]]]:
    """The groups of each search that is needed; a filter on the id may be added to each group."""
    groups = [group for alternative in absorbed(where) for group in _groups(alternative, properties)]
    taken: list[list[Filter]] = []
    for group in groups:
        if taken and (len(taken) == _GROUPS or _size([*taken, group]) > _FILTERS):
            yield taken
            taken = []
        taken.append(group)
    if taken:
        yield taken


def _size(groups: Sequence[Sequence[Filter]]) -> int:
    return sum(len(group) + 1 for group in groups)


def absorbed(where: Sequence[Where]) -> list[Where]:
    """The same set of records with fewer conditions: `(A and not F) or F` is `A or F`."""
    alone = {name for each in where if len(each) == 1 for name, values in each.items() if list(values) == [True]}
    return [
        {name: values for name, values in each.items() if name not in alone or not set(values) <= _EMPTY}
        for each in where
    ]


def _groups(where: Where, properties: Mapping[str, Property]) -> Iterator[list[Filter]]:
    """One group, or several where a property may be empty as well: emptiness cannot be listed among values."""
    choices = [_choices(name, values, properties.get(name)) for name, values in where.items()]
    for chosen in product(*choices):
        yield list(chosen)


def _choices(name: str, values: Sequence[Value], definition: Property | None) -> list[Filter]:
    lower = definition is not None and definition.type == "string"
    words = _possible([written(value) for value in values if value is not None], definition)
    listed = list(dict.fromkeys(word.lower() if lower and len(words) > 1 else word for word in words))
    choices: list[Filter] = []
    if len(listed) == 1:
        choices.append({"propertyName": name, "operator": "EQ", "value": listed[0]})
    elif listed:
        choices.append({"propertyName": name, "operator": "IN", "values": listed})
    if None in values:
        choices.append({"propertyName": name, "operator": "NOT_HAS_PROPERTY"})
    return choices


def _possible(words: Sequence[str], definition: Property | None) -> Sequence[str]:
    """The words that an enumeration knows: a mapping may list more spellings than a portal has."""
    if definition is None or definition.type != "enumeration" or not definition.options:
        return words
    known = {each.value for each in definition.options}
    return [word for word in words if word in known]
