"""The made-up portfolio in a vendor's own shapes, on a strict twin of that vendor: what ops rehearse on."""

from worker.rehearsal.hubspot import fill_hubspot, hubspot_portal
from worker.rehearsal.salesforce import fill_salesforce, salesforce_org

__all__ = ["fill_hubspot", "fill_salesforce", "hubspot_portal", "salesforce_org"]
