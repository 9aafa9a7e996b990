//! candump: `(1635188455.020850) can0 18F00E00#821639C4FFFFFFFF R`, after the grammar of can-utils.

use std::fmt::Write as _;

use signals::Timestamp;

use super::channels::Channels;
use super::scan::{NO_DIGIT, hex_digit, next_word, split_at_byte, take_decimal};
use crate::frame::{
    EXTENDED_ID_MAX, FD_RATE_SWITCHED, FD_SENDER_PASSIVE, Frame, FrameKind, PAYLOAD_BYTES_MAX,
    STANDARD_ID_MAX,
};

const ERROR_FLAG: u32 = 0x2000_0000;
const REMOTE_FLAG: u32 = 0x4000_0000;

/// Reads one line without its line feed; `Ok(false)` for a blank line or a comment.
///
/// The channel is looked up in `channels` and added there when it is new.
///
/// # Errors
/// What is wrong with the line, in a few words. `frame` holds nothing of use then.
pub(super) fn read_line(
    line: &[u8],
    channels: &mut Channels,
    frame: &mut Frame,
) -> Result<bool, &'static str> {
    let line = line.trim_ascii();
    if line.is_empty() || matches!(line.first(), Some(b'#' | b';')) || line.starts_with(b"//") {
        return Ok(false);
    }
    let rest = line.strip_prefix(b"(").ok_or("does not start with a time in parentheses")?;
    let (ts, rest) = take_time(rest)?;
    let (channel, rest) = next_word(rest).ok_or("no interface name")?;
    let (body, rest) = next_word(rest).ok_or("no frame")?;
    match rest.trim_ascii() {
        [] | [b'R' | b'T' | b'r' | b't'] => {}
        _ => return Err("unexpected text after the frame"),
    }
    *frame = Frame { ts, ..Frame::default() };
    read_frame(body, frame)?;
    frame.channel = channels.named(channel)?;
    Ok(true)
}

/// A frame as candump writes it, without a line feed.
#[must_use]
pub fn line_of(frame: &Frame, channel: &str) -> String {
    let (seconds, micros) =
        (frame.ts.micros().div_euclid(1_000_000), frame.ts.micros().rem_euclid(1_000_000));
    let id = match frame.kind {
        FrameKind::Error => format!("{:08X}", frame.id | ERROR_FLAG),
        FrameKind::Data | FrameKind::Remote if frame.extended => format!("{:08X}", frame.id),
        FrameKind::Data | FrameKind::Remote => format!("{:03X}", frame.id),
    };
    let mut line = format!("({seconds}.{micros:06}) {channel} {id}#");
    if frame.kind == FrameKind::Remote {
        line.push('R');
        if frame.len > 0 {
            line.push_str(&frame.len.to_string());
        }
    } else if frame.fd {
        line.push('#');
        line.push_str(&frame.fd_flags.to_string());
    }
    for byte in frame.bytes() {
        write!(line, "{byte:02X}").expect("a String takes any text");
    }
    line
}

/// `seconds.fraction)` with 1 to 9 digits of fraction; what is finer than 1 µs is cut.
fn take_time(text: &[u8]) -> Result<(Timestamp, &[u8]), &'static str> {
    const NOT_A_TIME: &str = "the time is not seconds.fraction";
    let (seconds, digits, rest) = take_decimal(text.trim_ascii_start());
    if !(1..=12).contains(&digits) {
        return Err(NOT_A_TIME);
    }
    let rest = rest.strip_prefix(b".").ok_or(NOT_A_TIME)?;
    let (fraction, digits, rest) = take_decimal(rest);
    let micros = match digits {
        6 => fraction,
        1..6 => fraction * 10_i64.pow(6 - digits),
        7..=9 => fraction / 10_i64.pow(digits - 6),
        0 | 10.. => return Err(NOT_A_TIME),
    };
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b")").ok_or("the time has no closing parenthesis")?;
    Ok((Timestamp::from_micros(seconds * 1_000_000 + micros), rest))
}

fn read_frame(body: &[u8], frame: &mut Frame) -> Result<(), &'static str> {
    let (id, rest) = split_at_byte(body, b'#').ok_or("no # between identifier and payload")?;
    read_id(id, frame)?;
    let is_error = frame.kind == FrameKind::Error;
    if let Some(rest) = rest.strip_prefix(b"#") {
        if is_error {
            return Err("an error frame with flags of a FD frame");
        }
        let (flags, payload) = rest.split_first().ok_or("no flags after ##")?;
        let flags = hex_digit(*flags);
        if flags == NO_DIGIT {
            return Err("the flags after ## are not a hexadecimal digit");
        }
        frame.fd = true;
        // Kernels also set 4 (it is an FD frame): not worth a difference.
        frame.fd_flags = flags & (FD_RATE_SWITCHED | FD_SENDER_PASSIVE);
        return read_payload(payload, PAYLOAD_BYTES_MAX, frame);
    }
    let rest = cut_raw_dlc(rest)?;
    if let [b'R' | b'r', length @ ..] = rest {
        if is_error {
            // Its identifier is a set of causes, which no remote frame has.
            return Err("an error frame that is a remote frame");
        }
        frame.kind = FrameKind::Remote;
        frame.len = match length {
            [] => 0,
            [digit] if hex_digit(*digit) != NO_DIGIT => hex_digit(*digit).min(8),
            [_] => return Err("the length after R is not a digit"),
            [_, _, ..] => return Err("unexpected text after R"),
        };
        return Ok(());
    }
    read_payload(rest, 8, frame)
}

/// Classic frames of 8 bytes may carry their raw length code, `_9` to `_F`, after the payload.
fn cut_raw_dlc(body: &[u8]) -> Result<&[u8], &'static str> {
    match body {
        [rest @ .., b'_', code] => match hex_digit(*code) {
            9..16 => Ok(rest),
            _ => Err("the length code after _ is not 9 to F"),
        },
        _ => Ok(body),
    }
}

fn read_id(text: &[u8], frame: &mut Frame) -> Result<(), &'static str> {
    const NOT_HEX: &str = "the identifier is not 1 to 8 hexadecimal digits";
    if text.is_empty() || text.len() > 8 {
        return Err(NOT_HEX);
    }
    let mut id = 0_u32;
    for &digit in text {
        let digit = hex_digit(digit);
        if digit == NO_DIGIT {
            return Err(NOT_HEX);
        }
        id = (id << 4) | u32::from(digit);
    }
    frame.extended = text.len() > 3;
    if !frame.extended {
        frame.id = id;
        return if id <= STANDARD_ID_MAX { Ok(()) } else { Err("the identifier is above 7FF") };
    }
    if id & ERROR_FLAG != 0 {
        frame.kind = FrameKind::Error;
        frame.extended = false;
    } else if id & REMOTE_FLAG != 0 {
        frame.kind = FrameKind::Remote;
    }
    frame.id = id & EXTENDED_ID_MAX;
    Ok(())
}

/// Pairs of hexadecimal digits, with dots between bytes or without.
fn read_payload(text: &[u8], bytes_max: usize, frame: &mut Frame) -> Result<(), &'static str> {
    const TOO_LONG: &str = "the payload is longer than a frame can be";
    let mut count = 0_u8;
    let mut rest = text;
    let mut places = frame.payload.iter_mut().take(bytes_max);
    while let [high, low, after @ ..] = rest {
        let (high, low) = (hex_digit(*high), hex_digit(*low));
        if (high | low) == NO_DIGIT {
            return Err("the payload is not hexadecimal");
        }
        *places.next().ok_or(TOO_LONG)? = (high << 4) | low;
        count += 1;
        rest = if let [b'.', after @ ..] = after { after } else { after };
    }
    frame.len = count;
    if rest.is_empty() { Ok(()) } else { Err("half a byte at the end") }
}
