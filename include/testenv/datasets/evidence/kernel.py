"""One pass over the bytes of a text column: words, runs of digits and base64, hashed as they go by.

A text is a sequence of *words*: letters, digits and bytes of other alphabets, with A-Z folded. Each window of up to
`WINDOW` words has a hash that does not depend on what stands between them, so `Maria.Lopez@mail.fr` is found in
`<maria.lopez@MAIL.fr>`. *Digits* are hashed apart, across blanks and punctuation: `4000 1234` is found as `40001234`.

Hashes are 64 bits wide and seeded. `mix` is the finalizer of MurmurHash3, and windows are differences of a polynomial's
prefixes (Karp and Rabin, 1987). They keep strangers apart, and are no protection of their own: seeds are made for a run
and end with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

WINDOW = 8
"""Longest window, in words. What is longer is known by its windows of this length, side by side."""

DIGITS = 24
"""Longest run of digits that is hashed."""

LONG = 13
"""Digits that are looked for wherever they begin; fewer must begin a group, or follow what one dials before them."""

LASTS = 1 << 14
"""Words of 64 bits of the filter of words that windows end with: 128 KiB stay in a core's cache."""

ENCODED = 12
"""Shortest run of base64 that is decoded: 9 bytes."""

WHOLE, INSIDE, NUMBER, BASE64, WIDE = 1, 2, 4, 8, 16
"""Bits of a value's finding. `WIDE`: it has bytes outside ASCII, and is to be folded and looked at again."""

PLAIN, LETTERS, SHORT, LISTED = 0, 1, 2, 3
"""What a collected value is: words of letters alone may be common; the last two are not searched for."""

_WORD, _DIGIT, _GAP, _BASE64, _LETTER, _ASIDE = 1, 2, 4, 8, 16, 32

_K = np.uint64(0xD6E8FEB86659FD93)
_M = np.uint64(0x9E3779B97F4A7C15)


def _tables() -> tuple[Any, Any, Any, Any]:
    kinds, lower, sextets = np.zeros(256, np.uint8), np.arange(256, dtype=np.uint8), np.full(256, 255, np.uint8)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for index, byte in enumerate(alphabet):
        kinds[byte] |= _WORD | _BASE64 | (_DIGIT if chr(byte).isdigit() else _LETTER)
        sextets[byte] = index
    for byte in range(128, 256):
        kinds[byte] |= _WORD | _LETTER | _ASIDE
    for byte in b" -.()/+":
        kinds[byte] |= _GAP
    for pair, index in ((b"+-", 62), (b"/_", 63)):
        for byte in pair:
            kinds[byte] |= _BASE64
            sextets[byte] = index
    for byte in range(ord("A"), ord("Z") + 1):
        lower[byte] = byte + 32
    powers = np.ones(DIGITS + 1, np.uint64)
    for n in range(1, DIGITS + 1):
        powers[n] = np.uint64(int(powers[n - 1]) * int(_K) & (1 << 64) - 1)
    return kinds, lower, sextets, powers


_KINDS, _LOWER, _SEXTETS, _POWERS = _tables()


@njit(inline="always")
def mix(x):  # type: ignore[no-untyped-def]
    """Finalizer of MurmurHash3."""
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


@njit(inline="always")
def _final(window, length, seed):  # type: ignore[no-untyped-def]
    return mix(window ^ mix(seed + np.uint64(length)))


@njit(inline="always")
def _find(key, bits, shift, keys, origins):  # type: ignore[no-untyped-def]
    """The origin of a hash, or -1. `bits` is a filter that most strangers do not pass."""
    place = key >> shift
    if not bits[place >> np.uint64(6)] >> (place & np.uint64(63)) & np.uint64(1):
        return -1
    mask = np.uint64(keys.size - 1)
    slot = key & mask
    while keys[slot] != np.uint64(0):
        if keys[slot] == key:
            return origins[slot]
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(inline="always")
def _last(lasts, word):  # type: ignore[no-untyped-def]
    """Whether a window may end with the word of this hash; most words of a stranger's text do not."""
    return lasts[word >> np.uint64(50)] >> (word >> np.uint64(44) & np.uint64(63)) & np.uint64(1)


@njit(inline="always")
def _ends(lasts, word):  # type: ignore[no-untyped-def]
    lasts[word >> np.uint64(50)] |= np.uint64(1) << (word >> np.uint64(44) & np.uint64(63))


@njit(cache=True, nogil=True)
def scan(data, offsets, weights, seeds, tables, windows, lasts, lengths, tried, found, origin, runs):  # type: ignore[no-untyped-def]
    """Look at every text, `data[offsets[row]:offsets[row + 1]]`.

    Fills `found`, `origin` and `runs` (the longest run of base64), one entry a text; `tried` counts the runs of digits
    that were looked up, by length, each text as often as `weights` says. One function for all rows: a call for each
    would count references of every array.
    """
    bits, shift, keys, origins = tables
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    prefixes = np.empty(longest // 2 + 3, np.uint64)
    digits, edges = np.empty(64, np.uint64), np.empty(64, np.bool_)
    prefixes[0] = digits[0] = np.uint64(0)
    salts = np.empty(WINDOW + 1, np.uint64)
    for n in range(WINDOW + 1):
        salts[n] = mix(seeds[1] + np.uint64(n))
    digit_salts = np.empty(DIGITS + 1, np.uint64)
    for n in range(DIGITS + 1):
        digit_salts[n] = mix(seeds[2] + np.uint64(n))
    mixed = np.empty(256, np.uint64)
    for n in range(48, 58):
        mixed[n] = mix(seeds[2] + np.uint64(n))
    sizes = np.flatnonzero(windows)
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        start = at
        seen, words, count, gap, run, widest = 0, 0, 0, 0, 0, 0
        dialled = False
        while at < stop:
            byte = data[at]
            kind = _KINDS[byte]
            if not kind & _WORD:
                at += 1
                run = run + 1 if kind & _BASE64 else 0
                if count:
                    gap += 1
                    if not kind & _GAP or gap > 2:
                        count = 0
                continue
            begin, h, kinds = at, seeds[0], 0
            while kind & _WORD:
                h = (h ^ np.uint64(_LOWER[byte])) * _M
                kinds |= kind
                at += 1
                if at == stop:
                    break
                byte = data[at]
                kind = _KINDS[byte]
            run += at - begin
            widest = max(widest, run)
            seen |= kinds
            words += 1
            word = mix(h)
            prefixes[words] = prefixes[words - 1] * _K + word
            for width in sizes:
                if width > words or not _last(lasts, word):
                    break
                window = prefixes[words] - prefixes[words - width] * _POWERS[width]
                there = _find(mix(window ^ salts[width]), bits, shift, keys, origins)
                if there >= 0:
                    found[row] |= WHOLE if width == words and at == stop else INSIDE
                    origin[row] = there
            if not kinds & _DIGIT:
                count = 0
                continue
            for place in range(begin, at):
                byte = data[place]
                if not _KINDS[byte] & _DIGIT:
                    count = 0
                    continue
                if count == digits.size - 1:  # longer than anything that is searched for: keep its end
                    for n in range(DIGITS + 1):
                        digits[n] = digits[count - DIGITS + n]
                        edges[n] = edges[count - DIGITS + n]
                    count, dialled = DIGITS, False
                if count == 0:
                    dialled = byte == 48 or (place > start and data[place - 1] == 43)  # 0 or +
                edges[count] = count == 0 or gap > 0
                gap = 0
                count += 1
                digits[count] = digits[count - 1] * _K + mixed[byte]
                if place + 1 < at and _KINDS[data[place + 1]] & _DIGIT:
                    continue
                for length in lengths:
                    if length > count:
                        break
                    head = count - length
                    if length >= LONG or edges[head] or (dialled and head <= 4):
                        tried[length] += weights[row]
                        window = digits[count] - digits[head] * _POWERS[length]
                        there = _find(mix(window ^ digit_salts[length]), bits, shift, keys, origins)
                        if there >= 0:
                            found[row] |= NUMBER
                            origin[row] = there
        if words == 1:
            there = _find(_final(prefixes[1], 1, seeds[3]), bits, shift, keys, origins)
            if there >= 0:
                found[row] |= WHOLE
                origin[row] = there
        if seen & _ASIDE:
            found[row] |= WIDE
        runs[row] = widest


@njit(inline="always")
def _decoded(data, start, stop, into, at):  # type: ignore[no-untyped-def]
    """Decode base64 until it is no UTF-8 any more; into `into[at:]`, if there is one. Returns the number of bytes."""
    size, held, bits, more = 0, 0, 0, 0
    for each in range(start, stop):
        held = (held << 6 | _SEXTETS[data[each]]) & 0xFFFFFF
        bits += 6
        if bits >= 8:
            bits -= 8
            byte = held >> bits & 0xFF
            if byte >= 192:
                if more or byte >= 245:
                    break
                more = 1 + (byte >= 224) + (byte >= 240)
            elif byte >= 128:
                if not more:
                    break
                more -= 1
            elif more or (byte < 32 and byte != 9 and byte != 10 and byte != 13):
                break
            if into.size:
                into[at + size] = byte
            size += 1
    return size


@njit(cache=True, nogil=True)
def decode(data, offsets, rows, texts, ends, owners):  # type: ignore[no-untyped-def]
    """The runs of base64 in `rows` that are texts: their bytes to `texts`, their ends and rows to the others.

    Called with empty arrays it only counts. Returns the number of texts, of bytes, and of rows that have any, which
    come to stand first in `rows`; `texts` needs room for one run more, since what turns out to be none is written
    there as well. A run may have a word in front, `PREFIX-BASE64`, so it is tried behind each sign too.
    """
    size, count, kept = 0, 0, 0
    for row in rows:
        before = count
        begin = offsets[row]
        for at in range(offsets[row], offsets[row + 1] + 1):
            if at < offsets[row + 1] and _KINDS[data[at]] & _BASE64:
                continue
            head = begin
            while at - head >= ENCODED:
                length = _decoded(data, head, at, texts, size)
                if length >= ENCODED * 3 // 4 - 1:
                    size += length
                    if ends.size:
                        ends[count + 1], owners[count] = size, row
                    count += 1
                head += 1
                while head < at and _KINDS[data[head - 1]] & _WORD:
                    head += 1
            begin = at + 1
        if count > before:
            rows[kept] = row
            kept += 1
    return count, size, kept


@njit(cache=True, nogil=True)
def collect(data, offsets, seeds, listed, rules, lasts, hashes, rows, kinds, forms):  # type: ignore[no-untyped-def]
    """What to search for, for every text: fills `hashes` with their `rows` and `forms`; `kinds` says what a text is.

    `rules` are the shortest length in letters and digits, the shortest run of digits, whether two or three words may
    be turned round. `lasts` takes in the words that windows end with. `forms` is the number of words of a window, or
    minus the length of a run of digits, or 0 for a single word of letters. Returns how many there are. Texts that are
    too short, or of listed words alone, give none.
    """
    shortest, least, turned = rules
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    prefixes = np.empty(longest // 2 + 3, np.uint64)
    size = 0
    for row in range(offsets.size - 1):
        start, stop = offsets[row], offsets[row + 1]
        words, in_word, h, letters, others, all_listed = 0, False, np.uint64(0), 0, 0, True
        count, gap, number = 0, 0, np.uint64(0)
        first = size
        prefixes[0] = np.uint64(0)
        for at in range(start, stop + 1):
            byte = data[at] if at < stop else np.uint8(0)
            kind = _KINDS[byte]
            if kind & _WORD:
                if not in_word:
                    in_word, h = True, seeds[0]
                h = (h ^ np.uint64(_LOWER[byte])) * _M
                if kind & _LETTER:
                    letters += 1
                else:
                    others += 1
            elif in_word:
                in_word = False
                words += 1
                prefixes[words] = prefixes[words - 1] * _K + mix(h)
                if all_listed and listed.size:
                    slot = np.searchsorted(listed, mix(h))
                    all_listed = slot < listed.size and listed[slot] == mix(h)
                else:
                    all_listed = False
            if kind & _DIGIT:
                number = number * _K + mix(seeds[2] + np.uint64(byte))
                count += 1
                gap = 0
            elif count:
                gap += 1
                if not kind & _GAP or gap > 2 or at == stop:
                    if least <= count <= DIGITS:
                        hashes[size], rows[size], forms[size] = _final(number, count, seeds[2]), row, -count
                        size += 1
                    count, gap, number = 0, 0, np.uint64(0)
        if letters + others < shortest:
            kinds[row] = SHORT
            size = first
            continue
        if all_listed and letters:  # house numbers are listed, and make up addresses and telephone numbers
            kinds[row] = LISTED
            size = first
            continue
        kinds[row] = LETTERS if others == 0 else PLAIN
        if words == 1 and others == 0:  # it may be any word: only ever the whole
            hashes[size], rows[size], forms[size] = _final(prefixes[1], 1, seeds[3]), row, 0
            size += 1
            continue
        if letters == 0 and size > first:  # digits, that are searched for as such
            continue
        last = max(words - WINDOW, 0)
        for begin in range(0, last + 1, WINDOW):
            n = min(words, WINDOW)
            window = prefixes[begin + n] - prefixes[begin] * _POWERS[n]
            hashes[size], rows[size], forms[size] = _final(window, n, seeds[1]), row, n
            size += 1
            _ends(lasts, prefixes[begin + n] - prefixes[begin + n - 1] * _K)
        if turned and 2 <= words <= 3:  # `Lopez, Maria`
            head = prefixes[words - 1]
            tail = prefixes[words] - head * _K
            window = tail * _POWERS[words - 1] + head
            hashes[size], rows[size], forms[size] = _final(window, words, seeds[1]), row, words
            size += 1
            _ends(lasts, head - prefixes[words - 2] * _K)
    return size


@njit(cache=True, nogil=True)
def scan_integers(numbers, seeds, tables, lengths, tried, found, origin):  # type: ignore[no-untyped-def]
    """Whole numbers of `LONG` digits and more, as `scan` sees them written."""
    bits, shift, keys, origins = tables
    digits = np.empty(20, np.uint8)
    for row in range(numbers.size):
        number, size = abs(numbers[row]), 0
        if number < 10 ** (LONG - 1):
            continue
        while number:
            digits[size] = 48 + number % 10
            number //= 10
            size += 1
        for length in lengths:
            if length == size:
                window = np.uint64(0)
                for at in range(size - 1, -1, -1):
                    window = window * _K + mix(seeds[2] + np.uint64(digits[at]))
                tried[length] += 1
                there = _find(_final(window, length, seeds[2]), bits, shift, keys, origins)
                if there >= 0:
                    found[row], origin[row] = NUMBER, there


@njit(cache=True)
def place(hashes, owners, bits, shift, keys, origins):  # type: ignore[no-untyped-def]
    """Fill the filter and the open-addressed table. The first owner of a hash stays."""
    mask = np.uint64(keys.size - 1)
    for index in range(hashes.size):
        key = hashes[index]
        at = key >> shift
        bits[at >> np.uint64(6)] |= np.uint64(1) << (at & np.uint64(63))
        slot = key & mask
        while keys[slot] != np.uint64(0) and keys[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        if keys[slot] == np.uint64(0):
            keys[slot] = key
            origins[slot] = owners[index]


@njit(cache=True)
def word_hashes(data, offsets, seeds, hashes):  # type: ignore[no-untyped-def]
    """The hash of every word of every text, as `collect` compares them with `listed`. Returns how many there are."""
    size = 0
    for row in range(offsets.size - 1):
        in_word, h = False, np.uint64(0)
        for at in range(offsets[row], offsets[row + 1] + 1):
            byte = data[at] if at < offsets[row + 1] else np.uint8(0)
            if _KINDS[byte] & _WORD:
                if not in_word:
                    in_word, h = True, seeds[0]
                h = (h ^ np.uint64(_LOWER[byte])) * _M
            elif in_word:
                in_word = False
                hashes[size] = mix(h)
                size += 1
    return size
