"""One form for the many of a word, in English, Indonesian and chat: "ga", "nggak" and "tdk" weigh as "tidak" does.

No dictionary: affixes come off by their letters, which may cut too much. Weights are learned from what is left, so
that costs little; that the ways of writing one word share what they teach is worth more.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SPELLINGS = {
    "tidak": "tdk tak gak ga gk nggak ngga nggk ngg enggak engga kagak kaga ndak nda gag mboten ora teu",
    "sudah": "sdh udah udh dah telah tlh uda wis sampun parantos",
    "belum": "blm blum belom",
    "kami": "kita kt saya sy gw gue gua aku abdi kulo",
    "anda": "kalian kamu lu lo elu elo saudara panjenengan sampeyan",
    "kalau": "kalo klo klw kl kalok jika jikalau apabila bila bilamana nek menawi",
    "pakai": "pake make makai memakai menggunakan",
    "yang": "yg sing nu sik",
    "dengan": "dgn sama sm dg",
    "untuk": "utk buat bwt",
    "karena": "krn karna gara",
    "saja": "aja aj doang",
    "juga": "jg jga ugi",
    "banget": "bgt bngt sekali pisan sanget",
    "mau": "maw ingin pengen pingin pengin bade badhe arep",
    "akan": "bakal bakalan akn",
    "ini": "nih ni niki ieu iki",
    "itu": "tuh tu niku kuwi eta",
    "dari": "dr dri",
    "pada": "pd",
    "sampai": "sampe smp",
    "lagi": "lg lgi",
    "masih": "msh isih",
    "bisa": "bs dapat dpt iso saged tiasa",
    "gabisa": "gbs gbisa",
    "bulan": "bln",
    "tahun": "thn taun",
    "orang": "org",
    "semua": "smua smw seluruh kabeh sadaya",
    "kemarin": "kmrn kemaren kmarin wingi",
    "sekarang": "skrg skrang skg",
    "tapi": "tp tetapi namun",
    "hari": "hr",
    "jangan": "jgn",
    "banyak": "byk bnyk",
    "beberapa": "bbrp",
    "begini": "gini gni",
    "begitu": "gitu gtu",
    "kenapa": "knp napa mengapa",
    "bagaimana": "gimana gmn gmana",
    "sebelum": "sblm sblum",
    "jadi": "jd",
    "terus": "trs trus",
    "teman": "temen tmn kawan kanca",
    "tolong": "tlg tlng",
    "customer": "pelanggan client klien",
    "lain": "liyane sanes",
    "ada": "aya ono",
    "please": "pls plz",
}
_OF_SPELLING = {spelling: word for word, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_BEFORE = re.compile(r"^(?:meng|meny|mem|men|me|peng|peny|pem|pen|pe|di|ter|ke|ber|per|nge|ng)(?=[a-z]{4})")
_AFTER = re.compile(r"(?<=[a-z]{4})(?:nya|kan|in|an|i|lah|kah|ing|ed|es|s|ly)$")
_SHORTEST = 5
_REMEMBERED = 32_768


@lru_cache(_REMEMBERED)
def stem(word: str) -> str:
    """What `word` (lower-case ASCII) weighs as: the usual spelling, of a longer word what its affixes leave."""
    usual = _OF_SPELLING.get(word, word)
    if len(usual) < _SHORTEST:
        return usual
    return _BEFORE.sub("", _AFTER.sub("", _AFTER.sub("", usual)))
