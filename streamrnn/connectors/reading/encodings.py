"""In which encoding text is that is no UTF-8: the one under which its letters are those of a language."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence

from streamrnn.errors import ConfigurationError

_LATIN = {
    "cp1252": ("äöüß", "àâæçéèêëîïôœùûü", "áéíñóúü", "áâãàçéêíóôõú", "àèéìòù", "åäöé", "æøåé", "áæðéíóöúýþ", "ëéïüèö"),
    "cp1250": ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1254": ("çğıöşüâîûi̇",),
    "cp850": ("äöüß", "àâçéèêëîïôùû", "áéíñóúü"),
    "mac_roman": ("äöüß", "àâçéèêëîïôùû", "áéíñóúü"),
}
"""Code pages of Latin letters, the usual one first, each with the letters of the languages that it was made for."""
_PLAIN = str.maketrans(
    dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2069\ufeff", "")
    | {"．": ".", "：": ":", "／": "/", "－": "-", "٫": ".", "٬": "'"}
    | dict.fromkeys("│┆┃║", "|")
    | dict.fromkeys("─━┄", "-")
    | {"═": "="}
    | dict.fromkeys("┌┬┐├┼┤└┴┘╞╪╡╭╮╰╯┏┳┓┡╇┩╔╦╗╠╬╣╚╩╝╤╧╟╫╢", "+")
)
_ONLY_SIGNS = re.compile(r"(?:[\x00-\x7f]|(?<![A-Za-z])[€£¥§°±²³µ½¼¾·–×\xa0]|[€£°²³](?![A-Za-z]))*")
_Share = Callable[[bytes], float]
_HIGH = re.compile(rb"[\x80-\xff]")
_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_RUSSIAN = "оеаинтсрвлкм"
_MOST = 1 << 16  # bytes that are looked at
_LIKELY = 0.7


def find_encoding(lines: Sequence[bytes]) -> str:
    """The encoding of lines of which most with other letters than English ones are no UTF-8."""
    text = b"\n".join(line for line in lines if not line.isascii())[:_MOST]
    if _ONLY_SIGNS.fullmatch(text.decode("cp1252", "replace")):
        return "cp1252"  # `12,50 €`, `21 °C`: signs, and not a letter of any alphabet
    words = [word for word in _WORD.findall(text) if len(word) > 1]  # a lone `€` is of no language
    other = sum(len(_HIGH.findall(word)) for word in words)
    if sum(map(len, words)) - other < other:  # letters of other alphabets, and hardly a Latin one among them
        score, found = max(((round(share(text), 2), name) for name, share in _OTHERS.items()), key=lambda one: one[0])
        if score >= _LIKELY:
            return found
    best = {name: max(_covered(text, name, letters) for letters in of) for name, of in _LATIN.items()}
    turkish = best["cp1254"] >= best["cp1252"] and any(
        letter in "ışğİŞĞ" for letter in text.decode("cp1254", "replace")
    )
    found = "cp1254" if turkish else max(best, key=lambda name: best[name])
    return found if turkish or best[found] > best["cp1252"] + 0.05 else "cp1252"


def text_of_line(line: bytes, encoding: str) -> str:
    """A line as text, without what cannot be seen, and with the marks of numbers and times that are used here."""
    text = line.decode(encoding, "replace")
    # The first bytes, in UTF-8, of the characters that are exchanged: most lines with other letters have none of them.
    if text.isascii() or not (b"\xe2" in line or b"\xef" in line or b"\xd9" in line):
        return text
    return text.translate(_PLAIN)


def checked_encoding(name: str) -> str:
    """The encoding that was asked for. Raises `ConfigurationError`."""
    try:
        codecs.lookup(name)
        if "\n,;09".encode(name) == b"\n,;09":
            return name
    except (LookupError, UnicodeError):
        pass
    raise ConfigurationError(
        f"--encoding {name} is none in which lines are read: utf-8, cp1252, cp1250, cp1251, shift_jis"
    )


def _covered(text: bytes, encoding: str, letters: str) -> float:
    """Share of the letters beyond English ones that a language has; a symbol in the middle of a word is none."""
    try:
        decoded = text.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    good = bad = 0
    for at, character in enumerate(decoded):
        if character.isascii() or character in "µºª":  # which stand in units
            continue
        inside = decoded[at - 1 : at].isalpha() and decoded[at + 1 : at + 2].isalpha()
        if character.lower() in letters and not (character.isupper() and inside and decoded[at + 1].islower()):
            good += 1
        elif character.isalpha() or inside:
            bad += 1
    return good / (good + bad) if good + bad else 1.0


def _script(encoding: str, first: str, last: str, common: str = "") -> _Share:
    """Share of the letters of an alphabet: the common ones count more, capitals at the beginning of a word alone."""

    def share(text: bytes) -> float:
        try:
            decoded = text.decode(encoding)
        except UnicodeDecodeError:
            return 0.0
        good = 0.0
        others = [at for at, character in enumerate(decoded) if not character.isascii()]
        for at in others:
            character = decoded[at]
            if first <= character <= last and character.isalpha():
                fits = not character.isupper() or not decoded[at - 1 : at].isalpha() or decoded[at - 1].isupper()
                good += fits * (1.0 if not common or character.lower() in common else 0.7)
        return good / max(1, len(others))

    return share


def _pairs(encoding: str, first: int, last: int, kana: bool = False) -> _Share:
    """Share of the characters of two bytes whose first byte is that of the usual ones."""

    def share(text: bytes) -> float:
        try:
            decoded = text.decode(encoding)
        except UnicodeDecodeError:
            return 0.0
        others = [character for character in decoded if not character.isascii()]
        good = 0
        for character in others:
            lead = character.encode(encoding)
            good += len(lead) == 2 and first <= lead[0] <= last
            good += kana and "\u3040" <= character <= "\u30ff"
        return good / max(1, len(others))

    return share


_OTHERS: dict[str, _Share] = {
    "cp1251": _script("cp1251", "Ё", "ӿ", _RUSSIAN),
    "koi8_r": _script("koi8_r", "Ё", "ӿ", _RUSSIAN),
    "cp866": _script("cp866", "Ё", "ӿ", _RUSSIAN),
    "cp1253": _script("cp1253", "Ά", "ώ", "αοιετσνηρπ"),
    "cp1255": _script("cp1255", "א", "ת", "יוהלאתרמבשכ"),
    "cp1256": _script("cp1256", "ء", "ي"),
    "cp949": _pairs("cp949", 0xB0, 0xC8),
    "gb18030": _pairs("gb18030", 0xB0, 0xD7),
    "big5": _pairs("big5", 0xA4, 0xC6),
    "cp932": _pairs("cp932", 0x88, 0x97, kana=True),
    "euc_jp": _pairs("euc_jp", 0xB0, 0xCF, kana=True),
}
