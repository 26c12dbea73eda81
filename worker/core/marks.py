"""How mail looks: quotes, signatures, disclaimers, transcripts and our own notes."""

from __future__ import annotations

import re

OUR_MARK = re.compile(
    r"\s*(?:\[Escalation|Ref ESC-|\[ESC-|Escalation (?:opened|raised|resolved) by|Subject: ESCALATION -)", re.IGNORECASE
)
OUR_REF = re.compile(r"^Ref ESC-", re.IGNORECASE | re.MULTILINE)
REPORTED = re.compile(
    r"\b(?:call(?:ed)? (?:with|from|notes?)|spoke (?:with|to)|on the (?:call|phone)|(?:customer"
    r"|client|cust|klien|pelanggan|pic)(?:nya)?"
    r" (?:said|says|told|mentioned|threaten\w*|wants?|bilang|sampaikan|menyampaikan|minta|meminta"
    r"|mengancam|mau|ingin|akan)|"
    r"telp(?:on)? (?:dengan|dari)|telepon (?:dengan|dari)|hasil (?:call|telepon|meeting)|notulen"
    r"|meeting (?:with|dengan))\b",
    re.IGNORECASE,
)
ABSENT = re.compile(
    r"\b(?:i am|i'm|i will be|saya(?: sedang)?) (?:currently )?(?:out of (?:the )?office"
    r"|on (?:annual |maternity )?leave|"
    r"cuti|tidak berada di kantor|tidak di kantor|di luar kantor)\b|^\W*(?:automatic reply"
    r"|auto(?:matic)?[- ]?response|"
    r"balasan otomatis|pesan otomatis|this is an automat\w+)",
    re.IGNORECASE,
)
ABSENT_SUBJECT = re.compile(
    r"^\W*(?:re: )?(?:automatic reply|auto[- ]?reply|out of office|ooo\b|balasan otomatis|auto:)", re.IGNORECASE
)
QUOTE_LINE = re.compile(r"\s{0,3}(?:>|\|\s?>|&gt;)")
WROTE = re.compile(
    r"\s*(?:On\b.{4,160}\bwrote ?:|Pada\b.{4,160}\b(?:menulis|wrote) ?:|.{4,120}<\S+@\S+>\s*(?:wrote|menulis) ?:|"
    r"Am\b.{4,120}\bschrieb .{2,80}:)\s*$",
    re.IGNORECASE,
)
WROTE_BEGINS = re.compile(r"\s*(?:On (?:\w{3,9},? )?\w{0,9} ?\d|Pada (?:tanggal|hari|\w{3,6},? ?\d|\d))", re.IGNORECASE)
OLDER = re.compile(
    r"\s*(?:[-_*]{2,}\s*(?:Original Message|Original Appointment|Forwarded(?: message)?"
    r"|Begin forwarded message|Pesan Asli|Pesan asal|"
    r"Pesan Terusan|Pesan yang diteruskan|Terusan|Reply above this line)\b.{0,40}|Begin forwarded message:|"
    r"Pesan terusan:|_{20,}\s*)$",
    re.IGNORECASE,
)
HEADER = re.compile(
    r"\s*\*?(?:From|Sent|To|Cc|Date|Subject|Dari|Kepada|Ke|Terkirim|Dikirim|Tanggal|Perihal|Subjek|Hal)\*?\s?:\*?\s",
    re.IGNORECASE,
)
FIRST_HEADER = re.compile(r"\s*\*?(?:From|Dari)\*?\s?:\*?\s", re.IGNORECASE)
DISCLAIMER_TO_END = re.compile(
    r"\W*(?:confidentiality (?:notice|note|statement)|(?:e-?mail |legal )?disclaimer|penafian|pernyataan kerahasiaan|"
    r"perhatian\s*:\s*(?:email|e-mail|pesan))\b",
    re.IGNORECASE,
)
DISCLAIMER = re.compile(
    r"(?:this|the information (?:contained )?in this|the contents? of this) (?:e-?mail|message"
    r"|communication|transmission)"
    r".{0,80}(?:confidential|intended|privileged)|if you (?:are not|have received this).{0,40}(?:intended|in error)|"
    r"(?:e-?mail|pesan|surel|surat elektronik) ini.{0,80}(?:rahasia|ditujukan|konfidensial)|(?:jika"
    r"|apabila|bila) anda bukan"
    r" (?:penerima|orang)|bukan penerima yang (?:dituju|dimaksud)|(?:consider|think of) the environment|"
    r"unauthori[sz]ed (?:use|review|disclosure|copying|distribution).{0,80}prohibited|intended recipient|"
    r"^\W*(?:to )?(?:unsubscribe|berhenti berlangganan) (?:from (?:this|our)|dari (?:newsletter"
    r"|email|milis)|,? ?(?:click|klik))",
    re.IGNORECASE,
)
SIGN_OFF = re.compile(
    r"\W{0,4}(?:(?:best|kind|warm|warmest|many|with best|with kind)?\s?regards|rgds|br"
    r"|best(?: wishes)?|sincerely(?: yours)?|"
    r"yours (?:sincerely|truly|faithfully)|respectfully(?: yours)?|cheers|thanks(?:\s?(?:&"
    r"|and)\s?(?:best |kind )?regards)?|many thanks|thank you|"
    r"thx|tks|salam(?: hangat| hormat| sejahtera)?|hormat (?:kami|saya)|dengan hormat kami|wassalam\w*.{0,30}|"
    r"terima ?kasih(?: banyak)?(?: dan salam)?|trims|makasih|tertanda|ttd)\s*[,.!\-]{0,3}\s*",
    re.IGNORECASE,
)
SIGN_OFF_WITH_NAME = re.compile(
    r"\W{0,4}(?:regards|best|cheers|thanks|thank you|salam|hormat (?:kami|saya)|terima ?kasih|trims|makasih)\s?,\s?"
    r"(?:[A-Z][\w.'-]+ ?){1,4}\s*"
)
NAME = re.compile(r"\s*(?:[A-Z][\w.'-]*,? ?){1,4}\s*")
FROM_PHONE = re.compile(
    r"\s*(?:Sent from my\b|Sent from (?:Outlook|Mail|Yahoo)|Dikirim dari\b|Get Outlook for|Terkirim dari\b).{0,80}$",
    re.IGNORECASE,
)
AFTERTHOUGHT = re.compile(r"\W{0,3}(?:p\.?\s?s\.?|nb|n\.b\.|catatan)\s?[:.,-]", re.IGNORECASE)
SPEAKER = re.compile(
    r"\s{0,3}(?:[\[(]?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?: ?[ap]m)?[\])]?\s{0,3}[-–]?\s{0,3})?"
    r"(?P<who>[A-Za-z][\w .'-]{0,30}(?:\([\w .-]{1,24}\))?)\s?:\s"
)
OUR_STAFF = re.compile(
    r"^(?:agent|cs|csm|csr|support|admin|bot|system|sistem|helpdesk|customer (?:service|success|care"
    r"|support)|tim support|"
    r"operator|chatbot)\b|\((?:[\w ]*\b)?(?:agent|cs|csm|support|admin|bot|am|account manager|customer success)\)",
    re.IGNORECASE,
)
