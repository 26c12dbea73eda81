"""Which cases look like one bug, and which only look like cases; what becomes of a proposal as it grows and goes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.core import likeness
from worker.core.likeness import Alike, clusters
from worker.core.model import AccountId, Author, BugKey, Case, RecordId
from worker.core.policy import LikenessRule
from worker.core.proposals import Proposal, Seen, compared
from worker.core.wording import wording, written

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
EXPORT = (
    (
        "Export to Excel fails with error 500",
        "Hi team,\n\nsince the update the monthly report fails to export to Excel.",
    ),
    (
        "Excel export error 500",
        "Dear support,\n\nexporting the monthly report to Excel gives error 500.\n\nRegards,\nBudi",
    ),
    (
        "Gagal ekspor laporan ke Excel",
        "Halo kak,\n\nlaporan bulanan tidak bisa diekspor ke Excel, errornya 500. Tolong ya.",
    ),
    (
        "Error 500 saat ekspor Excel",
        "Selamat pagi,\n\nekspor laporan bulanan ke Excel muncul error 500.\n\nSalam,\nDewi",
    ),
)
SYNC = (
    ("Stock doubled by warehouse sync", "All SKU quantities in the warehouse are doubled after last night's sync."),
    ("Duplicate stock after sync", "Since the nightly sync our warehouse stock quantities are doubled for all SKU."),
    ("Warehouse sync doubles stock", "Quantities of every SKU are doubled in the warehouse, it began with the sync."),
)


def alike(number, subject, text="", *, account="", product="", days=1.0, present=True, key=None, channel=""):
    case = Case(RecordId(f"C{number}"), AccountId(account or f"A{number}"), subject, text, channel=channel)
    said = wording(replace(case, product=product))
    assert said is not None
    opened = NOW - timedelta(days=days) + timedelta(minutes=number)
    return Alike(case.id, case.account_id, opened, said, product, present, key)


def cases(texts, first=1, **more):
    return [alike(first + place, *each, **more) for place, each in enumerate(texts)]


def ids(found):
    return [[case.id for case in cluster.cases] for cluster in found]


def test_one_bug_in_everybodys_own_words_english_and_indonesian_is_one_cluster():
    found = clusters([*cases(EXPORT), *cases(SYNC, 11)], 3)

    assert ids(found) == [["C1", "C2", "C3", "C4"], ["C11", "C12", "C13"]]
    assert {"excel", "export", "500", "report"} == set(found[0].words)


@pytest.mark.parametrize(
    "texts",
    [
        [("Error", "")] * 4,
        [("Login", "I cannot login, please help."), ("login", "cannot log in to my account"), ("Login error", "Help!")],
        [("Help", "Please help us with our account"), ("Help needed", "We need help, urgent"), ("HELP", "please help")],
        [
            ("Tidak bisa login", "Tidak bisa login, mohon bantuan"),
            ("Error login", "Akun error"),
            ("Login", "Gagal masuk"),
        ],
        [("Masalah sistem", "Sistem error, mohon dicek. Terima kasih")] * 3,
        [("", "")] * 3,
    ],
)
def test_what_any_case_says_is_no_likeness(texts):
    assert clusters(cases(texts), 3) == ()


@pytest.mark.parametrize(
    "texts",
    [
        [
            ("Invoice November 2026", f"Please find attached the invoice for November 2026, Rp {n}.500.000")
            for n in range(4)
        ],
        [
            ("Tagihan November", f"Terlampir faktur bulan November, mohon diproses. No. INV/2026/11/{n}")
            for n in range(4)
        ],
        [("Minta salinan invoice", "boleh minta salinan invoice bulan lalu?")] * 4,
    ],
)
def test_routine_invoices_of_several_customers_are_no_bug(texts):
    assert clusters(cases(texts), 3) == ()


def test_greeting_signature_and_quoted_mail_are_not_compared():
    regards = "\n\nBest regards,\nRina Wulandari\nFinance Manager\nPT Cahaya Nusantara Logistik Sentosa"
    quoted = "\n\nOn Mon, 23 Nov 2026 Support wrote:\n> export of the monthly report to Excel gives error 500\n> sorry"
    texts = [
        ("Question", f"Hello team,\n\ncan we add two cost centres?{regards}{quoted}"),
        ("Request", f"Hello team,\n\nwhich colours may our logo have?{regards}{quoted}"),
        ("Other", f"Hello team,\n\nhow long are backups kept?{regards}{quoted}"),
    ]

    assert clusters(cases(texts), 3) == ()


def test_what_we_or_a_machine_wrote_is_not_read():
    for case in (Case(RecordId("1"), AccountId("A"), *EXPORT[0], author=Author.AGENT), bot_case()):
        assert wording(case) is None


def bot_case():
    return Case(RecordId("2"), AccountId("A"), *EXPORT[0], channel="system")


def test_a_customer_who_writes_often_is_one_customer():
    assert clusters(cases(EXPORT, account="A1"), 2) == ()


def test_cases_of_different_products_are_apart_and_one_without_a_product_belongs_to_either():
    billing, stock = cases(EXPORT[:2], product="Billing"), cases(EXPORT[2:], 11, product="Stock")

    assert clusters([*billing, *stock], 3) == ()
    assert ids(clusters([*billing, alike(3, *EXPORT[2])], 3)) == [["C1", "C2", "C3"]]


def test_the_products_name_alone_is_no_likeness():
    texts = [(f"CRM Sync {each}", f"{each} CRM Sync") for each in ("pricing", "roadmap", "sandbox")]

    assert clusters(cases(texts, product="CRM Sync"), 3) == ()


@pytest.mark.parametrize(("before", "told"), [(0, True), (1, True), (2, False), (8, False), (20, False)])
def test_what_customers_write_all_the_time_is_no_news(before, told):
    """Four windows before: three customers now are news after none or one, and may be chance after two."""
    usual = [alike(100 + n, *EXPORT[n % 4], days=8 + n, present=False) for n in range(before)]
    found = clusters([*cases(EXPORT[:3]), *usual], 3)

    assert bool(found) is told
    assert [each.usual for each in found] == [before / 4] * told


def test_the_bug_key_of_others_like_them_is_told_and_is_not_what_is_usual():
    keyed = [alike(20 + n, *EXPORT[3], present=False, key=BugKey("BUG-7")) for n in range(9)]
    (found,) = clusters([*cases(EXPORT[:3]), *keyed], 3)

    assert (found.keys, found.usual, len(found.cases)) == (("BUG-7",), 0.0, 3)


def test_the_order_in_which_cases_are_read_changes_nothing():
    every = [
        *cases(EXPORT),
        *cases(SYNC, 11),
        *(alike(30 + n, f"Topic {n} alpha", f"text {n} beta gamma") for n in range(9)),
    ]
    expected = clusters(every, 3)
    for seed in range(5):
        random.Random(seed).shuffle(every)
        assert clusters(every, 3) == expected


def test_a_case_is_compared_with_a_bounded_number_of_others(monkeypatch):
    compared_with = []
    measure = likeness._Pass._likeness
    monkeypatch.setattr(likeness._Pass, "_likeness", lambda *given: compared_with.append(1) or measure(*given))
    dice, words = random.Random(7), [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}x" for n in range(300)]
    crowd = [alike(100 + n, " ".join(dice.sample(words, 6)), " ".join(dice.sample(words, 25))) for n in range(1500)]
    found = clusters([*crowd, *cases(EXPORT)], 3)

    assert ["C1", "C2", "C3", "C4"] in ids(found)
    assert len(compared_with) <= 2 * likeness._MOST_COMPARED * (len(crowd) + len(EXPORT))


def test_shared_words_are_shown_as_the_customer_wrote_them():
    case = Case(RecordId("1"), AccountId("A"), "Laporan tidak terekspor", "Diekspor ke Excel pun gagal.")

    assert written(case, ["export", "excel", "nowhere"]) == ("terekspor", "excel")


RULE = LikenessRule(accounts=3, again=3)


def seen(numbers, customers=0):
    found = cases([EXPORT[0]] * len(numbers))
    members = tuple(
        replace(case, id=RecordId(f"C{n}"), account_id=AccountId(f"A{n}"))
        for case, n in zip(found, numbers, strict=False)
    )
    return Seen(likeness.Cluster(members, ("excel",)), customers or len(numbers), "Export", ("excel",))


def after(before, numbers, days=0.0):
    return compared(before, [seen(numbers)] if numbers else [], RULE, NOW + timedelta(days=days))


def asked(*numbers):
    (one,) = after((), numbers)
    assert one.to_ask(RULE)
    return one.put("Sari")


def test_it_is_asked_once_and_again_only_when_many_joined():
    first = asked(1, 2, 3)

    (same,), (grown,), (large,) = (after([first], range(1, n)) for n in (4, 6, 7))
    assert [each.to_ask(RULE) for each in (same, grown, large)] == [False, False, True]
    assert {each.key for each in (same, grown, large)} == {"C1"}
    assert (large.put("Sari").times, large.put("Sari").asked) == (2, 6)


def test_it_keeps_its_key_when_its_first_case_is_closed_and_others_come():
    (later,) = after([asked(1, 2, 3)], (2, 3, 4))

    assert (later.key, later.to_ask(RULE)) == ("C1", False)
    assert set(later.cases) == {"C1", "C2", "C3", "C4"}


def test_two_that_grow_together_are_the_elder_one():
    (elder,) = after((), (1, 2, 3))
    (one,) = after([replace(asked(4, 5, 6), since=NOW + timedelta(1)), elder], (1, 2, 3, 4, 5, 6))

    assert (one.key, one.times, one.to_ask(RULE)) == ("C1", 1, True)


def test_what_was_declined_stays_off_until_it_has_doubled():
    no = asked(1, 2, 3, 4).declined("Sari", "two causes", NOW)

    (more,), (twice,) = after([no], range(1, 8)), after([no], range(1, 9))
    assert not no.open
    assert (more.open, more.to_ask(RULE)) == (False, False)
    assert twice.to_ask(RULE)
    assert twice.put("Sari").open


def test_what_is_gone_is_remembered_for_a_while_and_not_asked_again_when_it_is_back():
    (gone,) = after([asked(1, 2, 3)], (), days=6)
    (back,) = after([gone], (1, 2, 3), days=6.5)

    assert not gone.open
    assert (back.open, back.to_ask(RULE)) == (True, False)
    assert after([asked(1, 2, 3)], (), days=8) == ()


def test_who_could_not_be_asked_is_asked_later():
    (nobody_there,) = after((), (1, 2, 3))
    (still,) = after([nobody_there], (1, 2, 3))

    assert isinstance(still, Proposal)
    assert still.to_ask(RULE)
