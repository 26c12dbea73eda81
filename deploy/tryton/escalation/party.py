"""The account: what the escalation worker reads of it, what it writes, and how people answer."""

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError, ValidationError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, If
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from .changed import ChangedMixin, now

HEALTH = [(None, ""), ("green", "Green"), ("yellow", "Yellow"), ("red", "Red")]
TIERS = [(None, ""), ("standard", "Standard"), ("enterprise", "Enterprise"), ("strategic", "Strategic")]
LEVELS = [(None, ""), ("L1", "L1"), ("L2", "L2"), ("L3", "L3")]
STATUSES = [
    (None, ""),
    ("open", "Waiting for an answer"),
    ("acknowledged", "Acknowledged"),
    ("snoozed", "Snoozed"),
    ("waiting", "Waiting for the customer"),
    ("to_confirm", "Calm again: please say how it ended"),
    ("resolved", "Resolved"),
]
ANSWERS = [
    (None, ""),
    ("acknowledged", "I have it"),
    ("snooze", "Not now: ask again at the time below"),
    ("waiting", "The customer's turn"),
    ("raise_l2", "Needs the VP (L2)"),
    ("raise_l3", "Needs an executive (L3)"),
    ("resolved", "Resolved"),
    ("churned", "The customer left"),
    ("downgraded", "The customer stays with less"),
    ("false_alarm", "False alarm"),
    ("duplicate", "Known already elsewhere"),
    ("manual_l1", "Escalate it: L1, CS manager"),
    ("manual_l2", "Escalate it: L2, VP CS"),
    ("manual_l3", "Escalate it: L3, executive"),
]
ROOT_CAUSES_HELP = "Why it came to this, in a few words that fit other cases too, such as: late invoice, outage."

FLAG = (
    "escalated",
    "escalation_level",
    "escalation_reason",
    "escalation_opened_at",
    "escalation_due_at",
    "escalation_status",
    "escalation_owner",
)

WORKERS_OWN = frozenset({*FLAG, "answered_by", "answered_at"}) - {"escalated"}

MINUTES = {
    "escalation_due": "escalation_due_at",
    "escalation_since": "escalation_opened_at",
    "answered": "answered_at",
}

_read_only = {"readonly": True}
_open = Bool(Eval("escalated"))


class Party(ChangedMixin, metaclass=PoolMeta):
    """A customer."""

    __name__ = "party.party"

    csm = fields.Many2One("res.user", "CSM", ondelete="RESTRICT", help="Who looks after this customer.")
    csm_manager = fields.Many2One("res.user", "CS Manager", ondelete="RESTRICT")
    annual_revenue = fields.Numeric("ARR", digits=(16, 2), help="Revenue a year.")
    annual_revenue_currency = fields.Many2One("currency.currency", "ARR Currency", ondelete="RESTRICT")
    health = fields.Selection(HEALTH, "Health", sort=False)
    health_score = fields.Integer("Health Score", help="0 is worst, 100 is best.")
    health_as_of = fields.DateTime("Health as of")
    tier = fields.Selection(TIERS, "Tier", sort=False)
    renewal_on = fields.Date("Renews on")
    churned_on = fields.Date("Left on")
    churn_signs = fields.Char("Churn Signs", help="Signs that the customer means to leave, such as a notice.")
    pr_risk = fields.Boolean("PR Risk", help="It may reach the public: escalates at once to L3.")

    escalated = fields.Boolean("Escalated", help="Set by the escalation worker. Untick it: not for this reason.")
    escalation_level = fields.Selection(LEVELS, "Level", sort=False, states=_read_only)
    escalation_reason = fields.Text("Why", states=_read_only)
    escalation_opened_at = fields.Timestamp("Since", states=_read_only)
    escalation_due_at = fields.Timestamp("Answer due", states=_read_only)
    escalation_status = fields.Selection(STATUSES, "Status", sort=False, states=_read_only)
    escalation_owner = fields.Char("Owner", states=_read_only)

    escalation_due = fields.Function(fields.DateTime("Answer due", format="%H:%M"), "get_minute")
    escalation_since = fields.Function(fields.DateTime("Since", format="%H:%M"), "get_minute")
    answered = fields.Function(fields.DateTime("Answered at", format="%H:%M"), "get_minute")

    answer = fields.Selection(ANSWERS, "Answer", sort=False, help="What you want to happen with this escalation.")
    answer_until = fields.DateTime(
        "Until", states={"required": Eval("answer") == "snooze"}, help="When to come back, for a snooze."
    )
    answer_note = fields.Text("Outcome Note", help="How it ended, or why you decided so.")
    root_cause = fields.Char("Root Cause", help=ROOT_CAUSES_HELP)
    customer_confirmed = fields.Boolean("Customer confirmed", help="The customer said that the matter is settled.")
    call_held_at = fields.DateTime(
        "Hand-off call held", format="%H:%M", help="When you and the owner spoke. It ends the reminders of the call."
    )
    answered_by = fields.Char("Answered by", readonly=True)
    answered_at = fields.Timestamp("Answered at", readonly=True)

    issue_impact = fields.Text("Business impact")
    issue_attempted = fields.Text("What was tried")
    issue_ask = fields.Text("What the customer asks for")
    issue_recommendation = fields.Text("What you recommend")
    issue_timeline = fields.Text("Timeline, as you know it")

    escalation_notes = fields.One2Many("escalation.note", "party", "Notes", readonly=True)
    escalation_tasks = fields.One2Many("escalation.task", "party", "Tasks")
    payment_disputes = fields.One2Many("escalation.dispute", "party", "Payment Disputes")
    complaints = fields.One2Many("sale.complaint", "customer", "Complaints", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__["escalate"] = RPC(readonly=False, instantiate=0)
        cls.__rpc__["escalation_rights"] = RPC()
        cls._buttons.update(
            {
                "acknowledge": {
                    "invisible": ~_open | (Eval("escalation_status") != "open"),
                    "depends": ["escalated", "escalation_status"],
                }
            }
        )

    @classmethod
    def view_attributes(cls):
        """The group shows while there is an escalation; colours in lists: red is worst, orange waits for an answer."""
        unanswered = Eval("escalation_status") == "open"
        return [
            *super().view_attributes(),
            ('//group[@id="escalation"]', "states", {"invisible": ~_open}),
            ('/tree/field[@name="escalation_level"]', "visual", If(Eval("escalation_level") == "L3", "danger", "")),
            ('/tree/field[@name="escalation_status"]', "visual", If(unanswered, "warning", "success")),
            (
                '/tree/field[@name="health"]',
                "visual",
                If(
                    Eval("health") == "red",
                    "danger",
                    If(Eval("health") == "yellow", "warning", If(Eval("health") == "green", "success", "")),
                ),
            ),
        ]

    def get_minute(self, name):
        """A time as it is shown. Tryton's page takes a time that it shows shortened for one that a person changed."""
        exact = getattr(self, MINUTES[name])
        return exact and exact.replace(second=0, microsecond=0)

    @classmethod
    @ModelView.button
    def acknowledge(cls, parties):
        """One press: I have it."""
        cls.write(parties, {"answer": "acknowledged"})

    @classmethod
    def preprocess_values(cls, mode, values):
        """Sign each answer with who gave it and when; keep the flag out of what a page saves.

        A page may send back read-only fields as well, and would so overwrite the worker's. Only `escalated` is for
        people too: to untick it is an answer.
        """
        values = super().preprocess_values(mode, values)
        if not Transaction().context.get("_escalate"):
            values = {name: value for name, value in values.items() if name not in WORKERS_OWN}
        if "answer" in values:
            said = values["answer"]
            values["answered_by"] = cls._signature() if said else None
            values["answered_at"] = now() if said else None
        return values

    @classmethod
    def _signature(cls):
        user = Pool().get("res.user")(Transaction().user)
        return user.name or user.login

    @classmethod
    def escalate(cls, parties, values, expect=None):
        """Set the flag, in one transaction with the look at what it is now. For the worker's user only.

        Returns `applied`; `already` when it stands as wanted; `conflict` with the flag as it is, when one of the
        expected values is another by now.
        """
        if not cls._may_escalate():
            raise AccessError(gettext("escalation.msg_not_the_worker"))
        unknown = sorted((values.keys() | (expect or {}).keys()) - set(FLAG))
        if unknown:
            raise ValidationError(gettext("escalation.msg_not_the_flag", names=", ".join(unknown)))
        with without_check_access():
            cls.lock(parties)
            (party,) = cls.browse(parties)
            present = {name: getattr(party, name) for name in FLAG}
            if _holds(present, values):
                return {"result": "already"}
            if not _holds(present, expect or {}):
                return {"result": "conflict", "flag": present}
            with Transaction().set_context(_escalate=True):
                cls.write([party], {name: value or None for name, value in values.items()})
        return {"result": "applied"}

    @classmethod
    def escalation_rights(cls):
        """Whether the asking user can do the worker's work, for the worker's `check`."""
        user = Pool().get("res.user")
        return {
            "user": user(Transaction().user).login,
            "may_escalate": cls._may_escalate(),
            "companies": list(user.get_companies()),
        }

    @classmethod
    def _may_escalate(cls):
        pool = Pool()
        group = pool.get("ir.model.data").get_id("escalation", "group_worker")
        return group in pool.get("res.user").get_groups()


def _holds(present, wanted):
    """Whether the flag has these values. Empty, missing and false are the same."""
    return all((present[name] or None) == (value or None) for name, value in wanted.items())


class Replace(metaclass=PoolMeta):
    """One party in place of two: what hangs on the other one follows, so that its escalation can go on."""

    __name__ = "party.replace"

    @classmethod
    def fields_to_replace(cls):
        """Complaints too: their own module leaves them where nobody would look for them."""
        followed = [("sale.complaint", "customer"), ("escalation.dispute", "party")]
        ours = [("escalation.note", "party"), ("escalation.task", "party")]
        known = super().fields_to_replace()
        return [*known, *(each for each in (*followed, *ours) if each not in known)]
