//! Text of a database: UTF-8, else Windows-1252, which older tools write.

use std::borrow::Cow;

/// Windows-1252 of 0x80 to 0x9F; the five bytes it leaves open stay control characters.
const CP1252_HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// The text of `bytes`, without byte-order mark, line ends as they are.
///
/// # Errors
/// What it is, when it is clearly no such text.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err("it is UTF-16; save it as UTF-8");
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => Ok(Cow::Owned(bytes.iter().map(|&b| cp1252(b)).collect())),
    }
}

fn cp1252(byte: u8) -> char {
    byte.checked_sub(0x80)
        .and_then(|place| CP1252_HIGH.get(usize::from(place)))
        .copied()
        .unwrap_or(char::from(byte))
}
