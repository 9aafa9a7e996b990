//! When a certificate ends, read from its bytes (RFC 5280, clause 4.1.2.5). Nothing is trusted
//! because of it: it only warns.

use signals::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER; `None` when the bytes are none.
pub(super) fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut body, _) = element(certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        (_, body) = element(body, VERSION)?;
    }
    // serialNumber, signature, issuer.
    for _ in 0..3 {
        (_, body) = any(body).map(|(_, content, rest)| (content, rest))?;
    }
    let (validity, _) = element(body, SEQUENCE)?;
    let (_, _, validity) = any(validity)?;
    let (tag, text, _) = any(validity)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Content of the element of this kind that `bytes` begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first element, and what follows it.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        // Two digits: 1950 to 2049.
        UTC_TIME => match text.get(..2)?.parse::<u8>().ok()? {
            ..50 => format!("20{text}"),
            50.. => format!("19{text}"),
        },
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let (date, clock) =
        ([part(0, 4)?, part(4, 6)?, part(6, 8)?], [part(8, 10)?, part(10, 12)?, part(12, 14)?]);
    Timestamp::parse(&format!("{}T{}Z", date.join("-"), clock.join(":")))
}
