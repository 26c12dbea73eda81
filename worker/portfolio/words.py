"""The words that the portfolio is drawn from: names, places, products, and what customers write, as slots.

Nothing is written to match a trigger: most texts are everyday questions, a few are not.
"""

from __future__ import annotations

FIRST = (
    *("Dewi", "Budi", "Siti", "Agus", "Rina", "Andi", "Putri", "Joko", "Maya", "Rizky", "Ayu", "Hendra", "Lestari"),
    *("Fajar", "Indah", "Bayu", "Wulan", "Dimas", "Nadia", "Yusuf", "Ratna", "Eko", "Sari", "Arif", "Mega", "Teguh"),
)
LAST = (
    *("Wijaya", "Santoso", "Hartono", "Kusuma", "Lestari", "Pratama", "Saputra", "Nugroho", "Halim", "Setiawan"),
    *("Siregar", "Simanjuntak", "Tanuwijaya", "Gunawan", "Permata", "Hidayat", "Suryadi", "Ginting", "Rahman"),
)
FORMS = {"PT {}": 60, "CV {}": 14, "PT {} Tbk": 10, "{} Pte Ltd": 8, "{} Group": 8}
STEMS = (
    *("Nusantara", "Sentosa", "Cahaya", "Mitra", "Bintang", "Garuda", "Samudra", "Surya", "Karya", "Prima", "Mandiri"),
    *(
        "Abadi",
        "Sejahtera",
        "Makmur",
        "Anugerah",
        "Sinar",
        "Mega",
        "Artha",
        "Graha",
        "Citra",
        "Bumi",
        "Tirta",
        "Global",
    ),
)
TRADES = (
    *(
        "Logistik",
        "Retail",
        "Farma",
        "Agro",
        "Tekstil",
        "Digital",
        "Energi",
        "Properti",
        "Medika",
        "Pangan",
        "Otomotif",
    ),
    *("Perkasa", "Finansial", "Konstruksi", "Kemasan", "Bahari", "Kimia", "Teknologi", "Distribusi", "Elektronik"),
)
CITIES = ("Jakarta", "Surabaya", "Bandung", "Semarang", "Medan", "Makassar", "Denpasar", "Balikpapan", "Singapore")
PRODUCTS = ("Payroll", "Inventory", "POS", "CRM Sync", "Billing", "Analytics", "Mobile App", "API")
TITLES = (
    *("IT Manager", "Finance Staff", "Operations Lead", "HR Manager", "Staf Administrasi", "Supervisor Gudang"),
    *("Finance Manager", "Product Owner", "Head of Operations", "Direktur Keuangan", "Direktur Utama", "CEO", "CTO"),
)
FEATURES = (
    *("laporan bulanan", "export Excel", "dashboard", "approval", "integrasi bank", "import data", "notifikasi"),
    *("invoice template", "user roles", "API key", "multi-currency report", "stock opname", "slip gaji"),
)
TIMES = ("sejak tadi pagi", "since this morning", "dari kemarin", "since the last update", "tiap akhir bulan", "today")

EVERYDAY = (
    (
        "How do I set up {feature}?",
        "Hi team,\n\nCould you show me how to set up {feature} for our {city} branch? {close}",
    ),
    ("Tanya cara {feature}", "Halo kak,\n\nmau tanya, untuk {feature} di {product} settingnya di mana ya? {close}"),
    ("{product}: {feature} lambat", "Selamat siang,\n\n{feature} terasa lambat {time}. Mohon dibantu cek ya. {close}"),
    (
        "{feature} not updating",
        "Hello,\n\nthe {feature} page in {product} is not updating {time}. Refresh does not help. {close}",
    ),
    (
        "Minta salinan invoice",
        "Halo,\n\nboleh minta salinan invoice bulan lalu untuk keperluan audit internal kami? {close}",
    ),
    ("Add two users", "Hi,\n\nplease add two users for the {city} team, same role as mine. {close}"),
    ("Terima kasih", "Terima kasih banyak tim, {feature} sudah jalan lagi. Sangat membantu! {close}"),
    ("Jadwal training {product}", "Halo tim,\n\nkapan bisa jadwalkan training {product} untuk tim {city}? {close}"),
    ("Question about {feature}", "Hi, is {feature} available in our plan, or do we need to upgrade? {close}"),
    (
        "Error saat {feature}",
        "Dear support,\n\nmuncul error 500 saat buka {feature} {time}. Screenshot terlampir. {close}",
    ),
    ("Request: {feature}", "Kalau bisa {feature} ditambah filter per cabang ya kak, biar gampang rekapnya. {close}"),
    ("Ganti alamat penagihan", "Mohon alamat penagihan kami diganti ke kantor {city}. NPWP tetap sama. {close}"),
    ("When is the next release?", "Hi team, when is the next {product} release planned? {close}"),
    ("Lupa password admin", "Kak, admin kami lupa password. Bisa tolong reset? {close}"),
)
SERIOUS = (
    (
        "churn",
        "Rencana ke depan",
        "Kami sudah bahas di internal. Kalau {feature} tidak beres minggu ini, kami pindah ke vendor lain. {close}",
    ),
    ("churn", "Contract", "Honestly we are done waiting. We will not renew the contract when it ends. {close}"),
    (
        "churn",
        "Berhenti langganan",
        "Mohon diproses, kami mau berhenti berlangganan {product} mulai bulan depan. {close}",
    ),
    (
        "legal",
        "Somasi",
        "Bersama ini kami sampaikan bahwa kuasa hukum kami akan mengirim somasi atas pelanggaran kontrak ini. {close}",
    ),
    (
        "legal",
        "Formal notice",
        "Our lawyers consider this a breach of contract and will take legal action unless it is cured. {close}",
    ),
    (
        "security",
        "Data kami bocor?",
        "Kami menemukan data karyawan kami bocor lewat {product}. Mohon penjelasan segera. {close}",
    ),
    (
        "security",
        "Unauthorized access",
        "We see unauthorized access to our {product} account from an unknown country. {close}",
    ),
    (
        "executive",
        "Keluhan Direktur",
        "Direktur utama kami sangat kecewa dan minta penjelasan tertulis soal {feature}. {close}",
    ),
    ("dispute", "Tagihan salah", "Tagihan bulan ini dobel dan kami menolak membayar sampai dikoreksi. {close}"),
)
CLOSES = (
    "Thanks!",
    "Terima kasih.",
    "Mohon dibantu ya, makasih.",
    "Best regards,\n{name}",
    "Salam,\n{name}",
    "Tks",
    "Trims",
)
