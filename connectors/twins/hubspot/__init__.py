"""A strict rehearsal of a HubSpot portal over real HTTP, on this machine. Shares no code with the connector.

Written from the vendor's documentation: each module names its pages. `HubSpotTwin` is the way in.
"""

from connectors.twins.hubspot.schema import Property
from connectors.twins.hubspot.standard import option, options
from connectors.twins.hubspot.twin import HubSpotTwin

__all__ = ["HubSpotTwin", "Property", "option", "options"]
