"""What stands beside the account: payment disputes, the worker's notes and tasks."""

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from .changed import ChangedMixin, now

DISPUTE_STATES = [("open", "Open"), ("settled", "Settled")]


class Dispute(ChangedMixin, DeactivableMixin, ModelSQL, ModelView):
    """A payment that the customer contests."""

    __name__ = "escalation.dispute"
    _rec_name = "reference"

    party = fields.Many2One("party.party", "Customer", required=True, ondelete="CASCADE")
    reference = fields.Char("Reference", help="The invoice or the ticket.")
    amount = fields.Numeric("Amount", digits=(16, 2), required=True)
    currency = fields.Many2One("currency.currency", "Currency", required=True, ondelete="RESTRICT")
    state = fields.Selection(DISPUTE_STATES, "State", required=True, sort=False)
    reason = fields.Char("Reason")
    opened_at = fields.DateTime("Opened at", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ("opened_at", "DESC"))
        table = cls.__table__()
        cls._sql_indexes.add(Index(table, (table.party, Index.Equality())))

    @staticmethod
    def default_state():
        """A dispute begins open."""
        return "open"

    @staticmethod
    def default_opened_at():
        """Now."""
        return now()


class _KeyedMixin:
    """What the worker writes once: the database itself refuses the same key a second time."""

    __slots__ = ()

    key = fields.Char("Key", required=True, readonly=True, strip=False)
    party = fields.Many2One("party.party", "Customer", required=True, readonly=True, ondelete="CASCADE")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [("key_unique", Unique(table, table.key), "escalation.msg_key_unique")]
        cls._sql_indexes.add(Index(table, (table.party, Index.Equality())))

    @classmethod
    def preprocess_values(cls, mode, values):
        """SQLite does not hold to references, so that a note would stand on the page of nobody."""
        values = super().preprocess_values(mode, values)
        if mode != "create":
            return values
        with Transaction().set_context(active_test=False):
            there = Pool().get("party.party").search([("id", "=", values.get("party"))], count=True)
        if not there:
            raise ValidationError(gettext("escalation.msg_no_party", party=values.get("party")))
        return values


class Note(_KeyedMixin, ModelSQL, ModelView):
    """What happened to an escalation, with the issue document. Nobody changes it afterwards."""

    __name__ = "escalation.note"
    _rec_name = "title"

    title = fields.Char("Note", readonly=True)
    body = fields.Text("Text", readonly=True)
    at = fields.DateTime("At", required=True, readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ("at", "DESC"))


class Task(_KeyedMixin, ModelSQL, ModelView):
    """What one person has to do, until when."""

    __name__ = "escalation.task"
    _rec_name = "subject"

    assignee = fields.Many2One("res.user", "Assignee", ondelete="RESTRICT")
    assignee_name = fields.Char("For", help="Who it is for, where that person is no user of this Tryton.")
    subject = fields.Char("Task", required=True, readonly=True)
    body = fields.Text("Text", readonly=True)
    due_at = fields.DateTime("Due", readonly=True)
    done = fields.Boolean("Done")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ("done", "ASC"))
        cls._order.insert(1, ("due_at", "ASC"))

    @classmethod
    def view_attributes(cls):
        """What is done is grey."""
        return [*super().view_attributes(), ("/tree", "visual", If(Eval("done", False), "muted", ""))]
