import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core import markup
from worker.core.phrases import canvas
from worker.core.text import customer_text, parts


def own(body, channel="email"):
    return "".join(body[span.start : span.end] for span in customer_text(body, channel))


@pytest.mark.parametrize(
    "tail",
    [
        "On Mon, 3 Jun 2024 at 09:12, Budi <b@x.id> wrote:\n> OLD",
        "On Monday, 3 June 2024 at 09:12,\nBudi Santoso <b@x.id> wrote:\n\nOLD",
        "Pada Sen, 3 Jun 2024 pukul 09.12 Budi <b@x.id> menulis:\n> OLD",
        "-----Original Message-----\nOLD",
        "---------- Forwarded message ---------\nOLD",
        "Dari: Rina\nDikirim: Senin\nKepada: kami\nPerihal: OLD\n\nOLD",
        "From: Rina\nSent: Monday\nTo: us\nSubject: OLD\n\nOLD",
        "> OLD\n> OLD",
        "This e-mail is confidential and intended only for the addressee. OLD may be prosecuted.",
        "Confidentiality Notice: OLD\n\nOLD",
        "Email ini beserta lampirannya bersifat rahasia dan OLD.",
        "Sent from my iPhone OLD",
        "-- \nRina OLD",
        "Best regards,\nRina OLD\nPT Maju",
        "Hormat kami,\n\nRina OLD",
    ],
)
def test_what_others_wrote_and_what_stands_below_is_left_out(tail):
    kept = own(f"Saya mau lapor.\n\n{tail}")
    assert "Saya mau lapor." in kept
    assert "OLD" not in kept


def test_answers_below_a_quote_are_kept():
    kept = own("On Mon, 3 Jun 2024, Budi wrote:\n> OLD\n\nMy answer.")
    assert "My answer." in kept
    assert "OLD" not in kept


def test_a_postscript_is_the_customers_again():
    assert "kami pindah" in own("Halo.\n\nSalam,\nRina\n\nPS: kami pindah vendor bulan depan.")


def test_thanks_does_not_end_the_mail():
    assert "tagihannya salah" in own(
        "Terima kasih,\nnamun menurut kami tagihannya salah dan perlu dikoreksi segera.\n\nSalam,\nRina"
    )


@pytest.mark.parametrize("channel", ["agent", "auto-reply", "system"])
def test_channels_that_no_customer_writes(channel):
    assert customer_text("we will cancel", channel) == ()


@pytest.mark.parametrize("body", ["Ref ESC-12\nwe will cancel", "[Escalation L2] we will cancel", "[ESC-9] x"])
def test_our_own_notes_never_count(body):
    assert customer_text(body, "email") == ()


def test_an_internal_note_counts_only_where_it_reports_a_customer():
    assert customer_text("We should cancel the meeting", "note") == ()
    assert own("Call with Budi: they want to leave", "note")


def test_in_a_transcript_only_the_customer_counts():
    kept = own("Customer: halo\nAgent: Anda harus cancel dulu\nCustomer: ok", "chat")
    assert "halo" in kept
    assert "cancel" not in kept


def test_html_is_read_without_markup_and_without_its_quote():
    body = '<div>We will <b>cancel</b> it.</div><style>p{color:red}</style><div class="gmail_quote">OLD</div>'
    kept = canvas_of(body)
    assert b"cancel" in kept
    assert b"old" not in kept
    assert b"color" not in kept


def canvas_of(body):
    return canvas(markup.without_tags(body), customer_text(body, "email"))


def test_the_signature_is_kept_apart():
    body = "Kami kecewa.\n\nHormat kami,\nBambang\nDirektur Utama"
    assert any("Direktur Utama" in body[span.start : span.end] for span in parts(body, "email").signature)


def test_wrapped_lines_are_one_sentence_and_short_ones_are_not():
    wrapped = "Kami sudah berdiskusi dengan manajemen dan akan segera\nmemutus kontrak. Sekian"
    assert b"segera memutus kontrak." in canvas_of(wrapped)
    assert b"halo\nkami" in canvas_of("halo\nkami pindah")


@given(st.text(alphabet="ab >-\n:.<div/&;On wrote:Dari", max_size=400))
def test_length_is_kept_whatever_comes(text):
    assert len(canvas_of(text)) == len(text)
    for span in customer_text(text, "email"):
        assert 0 <= span.start < span.end <= len(text)
