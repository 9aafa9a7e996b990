//! What the answer to a request looks like on a serial line: RTU has neither length nor id.

use super::super::Fault;
use super::super::crc;

/// The longest frame (Modbus over Serial Line V1.02, clause 2.5.1.1).
pub(super) const FRAME_MAX: usize = 256;
/// Bit in the function code that makes an answer a refusal.
const REFUSED: u8 = 0x80;
/// Unit, function, exception code, checksum.
const REFUSAL: usize = 5;
/// Exception codes of the standard and those that gateways use.
const EXCEPTIONS: std::ops::RangeInclusive<u8> = 0x01..=0x0B;

/// The answers that one request may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Shape {
    pub(super) unit: u8,
    pub(super) function: u8,
    body: Body,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Body {
    /// A byte count, which must be this, and so many bytes.
    Counted(u8),
    /// Any byte count: the answer to "report server id".
    AnyCount,
    /// The first bytes of the request again.
    Echo { bytes: [u8; 7], len: u8 },
    /// Objects one after another: "read device identification".
    Identification,
}

/// What the bytes at some place are to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Judged {
    /// Its answer, so long.
    Answer(usize),
    /// They begin like it, and nothing says yet that they are not.
    More,
    /// Head and length of the answer, and a wrong checksum.
    Damaged,
    /// Something else.
    Other,
}

/// How long a frame is that begins with some bytes.
enum Length {
    Of(usize),
    More,
    Never,
}

impl Shape {
    /// What answers the request with this PDU.
    ///
    /// # Errors
    /// [`Fault::Request`] when no legal answer exists or its length cannot be known.
    pub(super) fn of(unit: u8, pdu: &[u8]) -> Result<Self, Fault> {
        let function = pdu.first().copied().ok_or(Fault::Request)?;
        let count = || {
            let bytes = pdu.get(3..5).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
            bytes.map(u16::from_be_bytes).filter(|count| *count > 0).ok_or(Fault::Request)
        };
        let counted = |bytes: u16| match u8::try_from(bytes) {
            Ok(bytes) if bytes <= 250 => Ok(Body::Counted(bytes)),
            Ok(_) | Err(_) => Err(Fault::Request),
        };
        let body = match function {
            1 | 2 => counted(count()?.div_ceil(8))?,
            3 | 4 | 23 => counted(count()?.saturating_mul(2))?,
            5 | 6 | 8 | 15 | 16 => echo(pdu, 5)?,
            22 => echo(pdu, 7)?,
            17 => Body::AnyCount,
            43 => Body::Identification,
            _ => return Err(Fault::Request),
        };
        Ok(Self { unit, function, body })
    }

    /// What a frame answers that carries data which was read; `None` for all others.
    pub(super) fn of_data(frame: &Frame) -> Option<Self> {
        let Frame { unit, function, length } = *frame;
        let bytes = u8::try_from(length.checked_sub(REFUSAL)?).ok()?;
        matches!(function, 1..=4).then_some(Self::with_bytes(unit, function, bytes))
    }

    /// An answer with so many bytes of data.
    pub(super) fn with_bytes(unit: u8, function: u8, bytes: u8) -> Self {
        Self { unit, function, body: Body::Counted(bytes) }
    }

    /// Function and byte count of an answer that has one which its request fixes.
    pub(super) fn counted(&self) -> Option<(u8, u8)> {
        if let Body::Counted(bytes) = self.body { Some((self.function, bytes)) } else { None }
    }

    /// Whether the answer repeats the whole request.
    pub(super) fn repeats_request(&self) -> bool {
        matches!(self.function, 5 | 6 | 8 | 22)
    }

    /// Bytes of the longest answer.
    pub(super) fn length_max(&self) -> usize {
        match self.body {
            Body::Counted(bytes) => REFUSAL + usize::from(bytes),
            Body::AnyCount | Body::Identification => FRAME_MAX,
            Body::Echo { len, .. } => 3 + usize::from(len),
        }
    }

    /// Whether a frame could be an answer to it, by unit, function and length.
    pub(super) fn suits(&self, frame: &Frame) -> bool {
        let Frame { unit, function, length } = *frame;
        let refused = function == self.function | REFUSED && length == REFUSAL;
        let answered = function == self.function
            && match self.body {
                Body::AnyCount | Body::Identification => true,
                Body::Counted(_) | Body::Echo { .. } => length == self.length_max(),
            };
        unit == self.unit && (refused || answered)
    }

    /// What `bytes` begin with. Frames of up to `judged` bytes have been found wrong before.
    pub(super) fn judge(&self, bytes: &[u8], judged: usize) -> Judged {
        let length = match bytes {
            [unit, ..] if *unit != self.unit => Length::Never,
            [] | [_] => Length::More,
            [_, function, ..] if *function == self.function | REFUSED => Length::Of(REFUSAL),
            [_, function, rest @ ..] if *function == self.function => self.length(rest),
            [_, ..] => Length::Never,
        };
        match length {
            Length::Never => Judged::Other,
            Length::More => Judged::More,
            Length::Of(length) => match bytes.get(..length) {
                None => Judged::More,
                Some(_) if length <= judged => Judged::Other,
                Some(frame) if crc::is_right(frame) => Judged::Answer(length),
                Some(_) => Judged::Damaged,
            },
        }
    }

    /// Length of the answer whose bytes after the function code are `rest`.
    fn length(&self, rest: &[u8]) -> Length {
        match (self.body, rest) {
            (Body::Counted(_) | Body::AnyCount, []) => Length::More,
            (Body::Counted(bytes), [count, ..]) if *count != bytes => Length::Never,
            (Body::Counted(_) | Body::AnyCount, [count, ..]) => of(REFUSAL + usize::from(*count)),
            (Body::Echo { bytes, len }, _) => {
                let wanted = bytes.get(1..usize::from(len)).unwrap_or_default();
                if rest.iter().zip(wanted).all(|(came, wanted)| came == wanted) {
                    Length::Of(3 + usize::from(len))
                } else {
                    Length::Never
                }
            }
            (Body::Identification, _) => identification(rest),
        }
    }
}

/// A frame with a right checksum, whoever sent it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) unit: u8,
    pub(super) function: u8,
    /// In bytes, checksum included.
    pub(super) length: usize,
}

/// Any frame that `bytes` begin with: an answer, a refusal, or another master's read.
///
/// `Err` says whether it could become one with more bytes. As for [`Shape::judge`], frames of up
/// to `judged` bytes have been found wrong before.
pub(super) fn any_frame(bytes: &[u8], judged: usize) -> Result<Frame, bool> {
    let [unit, function, rest @ ..] = bytes else { return Err(true) };
    let request = Length::Of(8);
    let lengths = match function {
        1..=4 => [request, counted(rest)],
        5 | 6 | 8 | 11 | 15 | 16 => [request, Length::Never],
        22 => [Length::Of(10), Length::Never],
        12 | 17 | 20 | 21 | 23 => [Length::Never, counted(rest)],
        43 => [Length::Never, identification(rest)],
        0x81..=0x97 | 0xAB => match rest {
            [code, ..] if !EXCEPTIONS.contains(code) => return Err(false),
            _ => [Length::Of(REFUSAL), Length::Never],
        },
        _ => return Err(false),
    };
    let mut open = false;
    for length in lengths {
        match length {
            Length::Never => {}
            Length::More => open = true,
            Length::Of(length) => match bytes.get(..length) {
                None => open = true,
                Some(frame) if length > judged && crc::is_right(frame) => {
                    return Ok(Frame { unit: *unit, function: *function, length });
                }
                Some(_) => {}
            },
        }
    }
    Err(open)
}

fn echo(pdu: &[u8], len: u8) -> Result<Body, Fault> {
    let mut bytes = [0; 7];
    let asked = pdu.get(..usize::from(len)).ok_or(Fault::Request)?;
    bytes.iter_mut().zip(asked).for_each(|(byte, asked)| *byte = *asked);
    Ok(Body::Echo { bytes, len })
}

fn of(length: usize) -> Length {
    if length <= FRAME_MAX { Length::Of(length) } else { Length::Never }
}

fn counted(rest: &[u8]) -> Length {
    match rest {
        [] => Length::More,
        [0, ..] => Length::Never,
        [count, ..] => of(REFUSAL + usize::from(*count)),
    }
}

/// MEI type 14: code, conformity, more follows, next object, and objects with their lengths
/// (Modbus Application Protocol V1.1b3, clause 6.21).
fn identification(rest: &[u8]) -> Length {
    let (head, mut objects) = rest.split_at(rest.len().min(6));
    if head.first().is_some_and(|mei| *mei != 0x0E) {
        return Length::Never;
    }
    let Some(count) = head.get(5) else { return Length::More };
    let mut length = 2 + 6;
    for _ in 0..*count {
        let Some(size) = objects.get(1) else { return Length::More };
        length += 2 + usize::from(*size);
        if length + 2 > FRAME_MAX {
            return Length::Never;
        }
        objects = objects.get(2 + usize::from(*size)..).unwrap_or_default();
    }
    of(length + 2)
}
