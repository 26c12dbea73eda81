"""A strict rehearsal of a Salesforce org over real HTTP, on this machine. Shares no code with the connector.

Written from the vendor's documentation: each module names its pages. `SalesforceTwin` is the way in.
"""

from connectors.twins.salesforce.schema import Field, Kind
from connectors.twins.salesforce.standard import custom_object
from connectors.twins.salesforce.twin import SalesforceTwin

__all__ = ["Field", "Kind", "SalesforceTwin", "custom_object"]
