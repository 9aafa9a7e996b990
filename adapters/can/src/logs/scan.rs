//! Scanning: numbers and words at the front of a text.

/// What [`hex_digit`] says of anything else. All bits are set, so that one comparison is enough
/// for several digits.
pub(super) const NO_DIGIT: u8 = 0xFF;

/// Values of hexadecimal digits; a table, because this is most of what reading a log costs.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const HEX: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0_u8;
    while value < 10 {
        table[(b'0' + value) as usize] = value;
        value += 1;
    }
    while value < 16 {
        table[(b'a' - 10 + value) as usize] = value;
        table[(b'A' - 10 + value) as usize] = value;
        value += 1;
    }
    table
};

/// The value of a hexadecimal digit, else [`NO_DIGIT`].
pub(super) fn hex_digit(digit: u8) -> u8 {
    HEX.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT)
}

/// The number in front, how many digits it has, and what follows. More than 12 digits are not
/// all taken, so that it cannot overflow.
pub(super) fn take_decimal(text: &[u8]) -> (i64, u32, &[u8]) {
    let (mut value, mut digits, mut rest) = (0_i64, 0, text);
    while let [digit @ b'0'..=b'9', after @ ..] = rest
        && digits < 13
    {
        value = value * 10 + i64::from(*digit - b'0');
        digits += 1;
        rest = after;
    }
    (value, digits, rest)
}

/// A whole word as a number to a base of 10 or 16; `None` for anything else and above 32 bits.
pub(super) fn number(word: &[u8], base: u8) -> Option<u32> {
    if word.is_empty() || word.len() > 10 {
        return None;
    }
    let mut value = 0_u64;
    for &digit in word {
        let digit = hex_digit(digit);
        if digit >= base {
            return None;
        }
        value = value * u64::from(base) + u64::from(digit);
    }
    u32::try_from(value).ok()
}

/// A word like `12.345678` times `scale`, 1 to 12 digits before the point; what is finer than one
/// is cut. `None` for anything else.
pub(super) fn scaled(word: &[u8], scale: i64) -> Option<i64> {
    let (whole, digits, rest) = take_decimal(word);
    if !(1..=12).contains(&digits) {
        return None;
    }
    let fraction = match rest {
        [] => 0,
        [b'.' | b',', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => {
            let (value, digits, _) = take_decimal(rest.get(..rest.len().min(9))?);
            value * scale / 10_i64.pow(digits)
        }
        _ => return None,
    };
    whole.checked_mul(scale)?.checked_add(fraction)
}

/// The two parts around the first `byte`.
pub(super) fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|&b| b == byte)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// The next word and what follows it.
pub(super) fn next_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// `text` without `word` and the blanks around it, whatever the case; `None` when it does not
/// begin with it.
pub(super) fn after_word<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    let (first, rest) = next_word(text)?;
    first.eq_ignore_ascii_case(word.as_bytes()).then(|| rest.trim_ascii())
}
