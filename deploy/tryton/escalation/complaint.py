"""The case: what customers write, with what tells how grave it is."""

from trytond.model import fields
from trytond.pool import PoolMeta

from .changed import ChangedMixin, now

AUTHORS = [(None, ""), ("customer", "Customer"), ("agent", "Agent"), ("system", "System")]
PRIORITIES = [(None, ""), ("low", "Low"), ("medium", "Medium"), ("high", "High"), ("urgent", "Urgent")]


class Complaint(ChangedMixin, metaclass=PoolMeta):
    """A customer's case. Its type is its category, its description the text, its state open or closed."""

    __name__ = "sale.complaint"

    subject = fields.Char("Subject")
    author = fields.Selection(AUTHORS, "Written by", help="Only what the customer wrote counts as evidence.")
    channel = fields.Char("Channel", help="Such as email, chat, web.")
    priority = fields.Selection(PRIORITIES, "Priority", sort=False)
    reporter = fields.Char("Reported by")
    reporter_title = fields.Char("Title of the Reporter", help="Such as CEO, Direktur Utama, IT Manager.")
    bug_key = fields.Char("Bug", help="The same key on cases of two customers is one bug that concerns both.")
    product_name = fields.Char("Product Name")
    amount = fields.Numeric("Amount", digits=(16, 2))
    amount_currency = fields.Many2One("currency.currency", "Currency", ondelete="RESTRICT")
    opened_at = fields.DateTime("Opened at")
    closed_at = fields.DateTime("Closed at")

    @staticmethod
    def default_author():
        """A complaint is what a customer says, unless it is told otherwise."""
        return "customer"

    @staticmethod
    def default_opened_at():
        """Now."""
        return now()
