"""Salesforce through simple-salesforce: deltas in one call a tick, flags and notes of an account as one graph.

Options, of which deploy/salesforce/README.md tells where they come from:

    instance_url: https://acme.my.salesforce.com
    auth: client_credentials       # with client_id and the secret client_secret
    auth: jwt                      # with client_id, username, audience (optional) and the secret private_key
    api_version: "66.0"

The others have defaults (`Options`).
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.crm.salesforce.connector import SalesforceConnector
from connectors.crm.salesforce.options import Auth, Options, read


def connect(settings: Mapping[str, object]) -> SalesforceConnector:
    """A connector that signs in when it is first used. Raises FatalError for options that cannot be right."""
    return SalesforceConnector(read(settings))


__all__ = ["Auth", "Options", "SalesforceConnector", "connect"]
