"""The shipped calendars and rates, and the faults that a person can make in them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML

from worker.almanac import YEARS, calendars_from, joint_leave_known_until, rates_from
from worker.core.calendar import Calendar, due, elapsed
from worker.core.money import IDR, Currency, Money, Rates
from worker.parsed import DocumentError

CONFIG = Path(__file__).parents[2] / "config"
WIB = ZoneInfo("Asia/Jakarta")


def document(name: str) -> object:
    return YAML(typ="safe", pure=True).load(CONFIG / name)


@pytest.fixture(scope="module")
def calendars() -> dict[str, Calendar]:
    return calendars_from(document("calendars.yaml"))


@pytest.fixture(scope="module")
def rates() -> Rates:
    return rates_from(document("rates.yaml"))


def one(holidays: object) -> Calendar:
    entry = {"zone": "Asia/Jakarta", "hours": {"mon-fri": ["09:00-18:00"]}, "holidays": holidays}
    return calendars_from({"calendars": {"one": entry}})["one"]


def faults_of(parsed: object) -> dict[str, str]:
    with pytest.raises(DocumentError) as caught:
        calendars_from(parsed)
    return {".".join(map(str, fault.path)): fault.text for fault in caught.value.faults}


def test_ships_the_calendars_that_the_policy_may_name(calendars: dict[str, Calendar]) -> None:
    assert {"wall_clock", "jakarta_office", "jakarta_extended", "makassar_office", "jayapura_office"} == set(calendars)
    assert calendars["wall_clock"].always_open
    assert not any(calendar.always_open for name, calendar in calendars.items() if name != "wall_clock")


@pytest.mark.parametrize(
    ("year", "public", "with_joint_leave"), [(2025, 17, 28), (2026, 17, 25), (2027, 18, 26), (2028, 17, 17)]
)
def test_counts_the_decreed_days_of_a_year(
    calendars: dict[str, Calendar], year: int, public: int, with_joint_leave: int
) -> None:
    def days(name: str) -> int:
        return sum(holiday.day.year == year for holiday in calendars[name].holidays)

    assert (public, with_joint_leave) == (days("jakarta_extended"), days("jakarta_office"))


def test_joint_leave_closes_the_office_and_names_itself(calendars: dict[str, Calendar]) -> None:
    eve = datetime(2026, 12, 23, 16, 0, tzinfo=WIB)

    office = due(eve, timedelta(hours=4), calendars["jakarta_office"])
    extended = due(eve, timedelta(hours=12), calendars["jakarta_extended"])

    assert datetime(2026, 12, 28, 11, 0, tzinfo=WIB) == office.at
    assert "Thu 24 Dec holiday (Cuti Bersama Hari Raya Natal), Fri 25 Dec holiday (Hari Raya Natal)" in office.explain()
    assert datetime(2026, 12, 24, 13, 0, tzinfo=WIB) == extended.at


def test_lebaran_2026_is_closed_for_a_week(calendars: dict[str, Calendar]) -> None:
    tuesday, wednesday = (datetime(2026, 3, day, 18, 0, tzinfo=WIB) for day in (17, 25))

    assert timedelta(hours=9) == elapsed(tuesday, wednesday, calendars["jakarta_office"])


def test_each_region_opens_on_its_own_clock(calendars: dict[str, Calendar]) -> None:
    night = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    opened = {
        name: due(night, timedelta(hours=1), calendars[f"{name}_office"]).at.hour
        for name in ("jayapura", "makassar", "jakarta")
    }

    assert opened == {"jayapura": 1, "makassar": 2, "jakarta": 3}


def test_expected_days_say_that_they_are_estimated() -> None:
    english = {holiday.day: holiday.name for holiday in one({"country": "ID", "language": "en"}).holidays}
    indonesian = {holiday.day: holiday.name for holiday in one({"country": "ID", "language": "id"}).holidays}

    assert english[date(2027, 3, 10)].endswith("(estimated)")
    assert indonesian[date(2027, 3, 10)].endswith("(perkiraan)")
    assert not any("estimated" in name for day, name in english.items() if day.year <= 2026)


def test_people_have_the_last_word_on_holidays() -> None:
    calendar = one(
        {
            "country": "ID",
            "joint_leave": True,
            "remove": [date(2026, 12, 24)],
            "add": [{"date": "2026-12-28", "name": "Company day"}, {"date": date(2026, 12, 25), "name": "Natal"}],
        }
    )

    names = [calendar.holiday(date(2026, 12, day)) for day in (24, 25, 28)]
    assert names == [None, "Natal", "Company day"]


def test_holidays_without_a_country_are_those_given() -> None:
    assert [h.name for h in one({"add": [{"date": "2026-12-28", "name": "Company day"}]}).holidays] == ["Company day"]


def test_joint_leave_is_known_as_far_as_it_is_decreed() -> None:
    until = joint_leave_known_until("ID")

    assert until is not None
    assert 2027 <= until < YEARS[-1]
    assert joint_leave_known_until("SG") is None
    assert joint_leave_known_until("nowhere") is None


def test_every_fault_of_the_calendars_is_told_at_once() -> None:
    faults = faults_of(
        {
            "calendar": {},
            "calendars": {
                "a": {
                    "zone": "Asia/Jakrta",
                    "hours": {"mon-fry": ["9-18"], "tue": "09:00-18:00", "sat-mon": []},
                    "holidys": {},
                },
                "b": {
                    "zone": "Asia/Jakarta",
                    "hours": {"mon-fri": ["09:00-18:00"], "wed": ["25:00-26:00"]},
                    "holidays": {
                        "country": "SG",
                        "joint_leave": True,
                        "remove": ["x", "2026-01-02"],
                        "add": [{"date": "2026-02-30", "nam": "x"}],
                    },
                },
                "c": {"always_open": "yes"},
                "d": {"zone": "UTC", "always_open": True, "hours": {"mon": ["09:00-18:00"]}},
                "e": {"zone": "UTC", "hours": {"mon": []}},
                "late": {"zone": "UTC", "hours": {"sun": ["09:00-08:00"]}},
                "f": {"zone": "UTC", "hours": {"mon": ["09:00-18:00"]}, "holidays": {"country": "XX"}},
                "g": {
                    "zone": "UTC",
                    "hours": {"mon": ["09:00-18:00"]},
                    "holidays": {"country": "ID", "language": "fr"},
                },
                "h": 7,
            },
        }
    )

    assert set(faults) == {
        "calendar",
        "calendars.a",
        "calendars.a.holidys",
        "calendars.a.hours.mon-fry",
        "calendars.a.hours.mon-fry.0",
        "calendars.a.hours.tue",
        "calendars.a.hours.sat-mon",
        "calendars.b.hours.wed",
        "calendars.b.hours.wed.0",
        "calendars.b.holidays.joint_leave",
        "calendars.b.holidays.remove.0",
        "calendars.b.holidays.remove.1",
        "calendars.b.holidays.add.0.nam",
        "calendars.b.holidays.add.0.date",
        "calendars.b.holidays.add.0.name",
        "calendars.c.zone",
        "calendars.c.always_open",
        "calendars.c.hours",
        "calendars.d",
        "calendars.e",
        "calendars.late.hours",
        "calendars.f.holidays.country",
        "calendars.g.holidays.language",
        "calendars.h",
        "calendars.h.zone",
        "calendars.h.hours",
    }
    assert "did you mean calendars?" in faults["calendar"]
    assert "'Asia/Jakrta' is not a time zone" in faults["calendars.a"]
    assert "wed is given twice" in faults["calendars.b.hours.wed"]


@pytest.mark.parametrize("parsed", [None, [], "text", {}, {"calendars": None}, {"calendars": [1]}])
def test_a_document_of_another_shape_is_a_fault(parsed: object) -> None:
    with pytest.raises(DocumentError, match="expected keys with values"):
        calendars_from(parsed)


def test_ships_rates_for_every_day_of_the_samples_months(rates: Rates) -> None:
    days = [date(2025, 5, 1) + timedelta(days=n) for n in range((date(2026, 11, 30) - date(2025, 5, 1)).days + 1)]

    for code in ("USD", "SGD", "EUR", "MYR"):
        missing = [day for day in days if rates.convert(Money(Decimal(1), Currency(code)), day) is None]
        assert missing == []
    assert rates.convert(Money(Decimal(1), Currency("USD")), date(2025, 4, 30)) is None
    assert rates.convert(Money(Decimal(1), Currency("THB")), date(2026, 1, 1)) is None
    assert rates.home == IDR


def test_the_shipped_rates_say_that_they_are_samples() -> None:
    assert "SAMPLE VALUES" in (CONFIG / "rates.yaml").read_text(encoding="utf-8")


def test_every_fault_of_the_rates_is_told_at_once() -> None:
    values = {"USD": 1.5, "usd": "3", "SGD": "1,5", "EUR": "0", "MYR": True, "IDR": "1"}
    with pytest.raises(DocumentError) as caught:
        rates_from(
            {
                "home": "IDR",
                "max_age_days": "40",
                "rate": [],
                "rates": [{"date": "2026-13-01", "values": {"USD": "1"}}, {"date": "2026-01-01", "values": values}, 5],
            }
        )

    assert {".".join(map(str, fault.path)) for fault in caught.value.faults} == {
        "rate",
        "max_age_days",
        "rates.0.date",
        *(f"rates.1.values.{code}" for code in values),
        "rates.2",
        "rates.2.date",
    }
    assert 'write it in quotes, such as "16450.50"' in str(caught.value)


def test_two_rates_on_one_day_are_a_fault() -> None:
    entry = {"date": "2026-01-01", "values": {"USD": "16000"}}

    with pytest.raises(DocumentError, match="rates: two rates for USD on 2026-01-01"):
        rates_from({"home": "IDR", "max_age_days": 40, "rates": [entry, entry]})


@pytest.mark.parametrize(
    ("home", "text"), [("idr", "is not a currency"), (None, "expected a text"), (5, "expected a text")]
)
def test_the_home_currency_must_be_one(home: object, text: str) -> None:
    with pytest.raises(DocumentError, match=text) as caught:
        rates_from({"home": home, "max_age_days": 40, "rates": []})
    assert [fault.path for fault in caught.value.faults] == [("home",)]
