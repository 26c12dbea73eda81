# This file is part of the Tryton module "escalation". The COPYRIGHT and LICENSE files beside it say under which terms.
"""Escalations on the party: the worker's flag, the people's answer, notes, tasks and payment disputes."""
