//! Requests as bytes, and the judgement of answers (Modbus Application Protocol V1.1b3, clause 6).

use tokio_modbus::bytes::Bytes;
use tokio_modbus::{Request, Response};

use super::Fault;
use crate::scan::Read;

/// Bit in the function code that makes an answer a refusal.
const REFUSED: u8 = 0x80;
/// MEI type of "read device identification".
const DEVICE_IDENTIFICATION: u8 = 0x0E;

/// The request of a read.
pub(super) fn read_request(read: Read) -> [u8; 5] {
    let ([s0, s1], [c0, c1]) = (read.start.to_be_bytes(), read.count.to_be_bytes());
    [read.area.function(), s0, s1, c0, c1]
}

/// Appends any request.
///
/// # Errors
/// [`Fault::Request`] when there are more values than one request can carry.
pub(super) fn put_request(request: &Request<'_>, outbox: &mut Vec<u8>) -> Result<(), Fault> {
    outbox.push(request.function_code().value());
    match request {
        Request::ReadCoils(start, count)
        | Request::ReadDiscreteInputs(start, count)
        | Request::ReadHoldingRegisters(start, count)
        | Request::ReadInputRegisters(start, count) => put_words(&[*start, *count], outbox),
        Request::WriteSingleCoil(address, on) => {
            put_words(&[*address, if *on { 0xFF00 } else { 0 }], outbox);
        }
        Request::WriteSingleRegister(address, word) => put_words(&[*address, *word], outbox),
        Request::WriteMultipleCoils(start, coils) => {
            let bytes: Vec<u8> = coils.chunks(8).map(packed).collect();
            put_words(&[*start, count(coils.len())?], outbox);
            outbox.push(u8::try_from(bytes.len()).map_err(|_| Fault::Request)?);
            outbox.extend_from_slice(&bytes);
        }
        Request::WriteMultipleRegisters(start, words) => {
            put_words(&[*start, count(words.len())?], outbox);
            put_counted(words, outbox)?;
        }
        Request::MaskWriteRegister(address, and, or) => put_words(&[*address, *and, *or], outbox),
        Request::ReadWriteMultipleRegisters(read, wanted, write, words) => {
            put_words(&[*read, *wanted, *write, count(words.len())?], outbox);
            put_counted(words, outbox)?;
        }
        Request::ReportServerId => {}
        Request::ReadDeviceIdentification(code, object) => {
            outbox.extend_from_slice(&[DEVICE_IDENTIFICATION, code.value(), *object]);
        }
        Request::Custom(_, bytes) => outbox.extend_from_slice(bytes),
    }
    Ok(())
}

/// What a device would answer to a write: the response to a broadcast, which nobody answers.
/// `None` for whatever asks for something.
pub(super) fn echo(request: &Request<'_>) -> Option<Response> {
    Some(match request {
        Request::WriteSingleCoil(address, on) => Response::WriteSingleCoil(*address, *on),
        Request::WriteSingleRegister(address, word) => {
            Response::WriteSingleRegister(*address, *word)
        }
        Request::MaskWriteRegister(address, and, or) => {
            Response::MaskWriteRegister(*address, *and, *or)
        }
        Request::WriteMultipleCoils(start, coils) => {
            Response::WriteMultipleCoils(*start, count(coils.len()).ok()?)
        }
        Request::WriteMultipleRegisters(start, words) => {
            Response::WriteMultipleRegisters(*start, count(words.len()).ok()?)
        }
        Request::ReadCoils(..)
        | Request::ReadDiscreteInputs(..)
        | Request::ReadHoldingRegisters(..)
        | Request::ReadInputRegisters(..)
        | Request::ReadWriteMultipleRegisters(..)
        | Request::ReportServerId
        | Request::ReadDeviceIdentification(..)
        | Request::Custom(..) => return None,
    })
}

/// The words of the answer to a read, appended to `words`; a bit is a word of 0 or 1.
///
/// # Errors
/// The [`Fault`] when the answer is a refusal or not what was asked for.
pub(super) fn take_words(read: Read, answer: &[u8], words: &mut Vec<u16>) -> Result<(), Fault> {
    let body = accepted(read.area.function(), answer)?;
    let bytes = if read.area.holds_bits() {
        Some(read.count.div_ceil(8))
    } else {
        read.count.checked_mul(2)
    };
    let values = counted(body, bytes.ok_or(Fault::Quantity)?)?;
    if read.area.holds_bits() {
        let bit = |place: u16| values.get(usize::from(place / 8)).map(|byte| byte >> (place % 8));
        words.extend((0..read.count).map_while(bit).map(|byte| u16::from(byte & 1)));
    } else {
        words.extend(values.chunks_exact(2).map(joined));
    }
    Ok(())
}

/// The answer to any request; `asked` is the PDU that was sent.
///
/// # Errors
/// The [`Fault`] when the answer is a refusal or not what was asked for.
pub(super) fn take_response(
    request: &Request<'_>,
    asked: &[u8],
    answer: &[u8],
) -> Result<Response, Fault> {
    let function = request.function_code().value();
    let body = accepted(function, answer)?;
    Ok(match request {
        Request::ReadCoils(_, count) => Response::ReadCoils(bits(body, *count)?),
        Request::ReadDiscreteInputs(_, count) => Response::ReadDiscreteInputs(bits(body, *count)?),
        Request::ReadHoldingRegisters(_, count) => {
            Response::ReadHoldingRegisters(registers(body, *count)?)
        }
        Request::ReadInputRegisters(_, count) => {
            Response::ReadInputRegisters(registers(body, *count)?)
        }
        Request::ReadWriteMultipleRegisters(_, count, _, _) => {
            Response::ReadWriteMultipleRegisters(registers(body, *count)?)
        }
        Request::WriteSingleCoil(address, on) => {
            echoed(answer, asked)?;
            Response::WriteSingleCoil(*address, *on)
        }
        Request::WriteSingleRegister(address, word) => {
            echoed(answer, asked)?;
            Response::WriteSingleRegister(*address, *word)
        }
        Request::MaskWriteRegister(address, and, or) => {
            echoed(answer, asked)?;
            Response::MaskWriteRegister(*address, *and, *or)
        }
        Request::WriteMultipleCoils(start, coils) => {
            echoed(answer, asked.get(..5).unwrap_or_default())?;
            Response::WriteMultipleCoils(*start, count(coils.len())?)
        }
        Request::WriteMultipleRegisters(start, words) => {
            echoed(answer, asked.get(..5).unwrap_or_default())?;
            Response::WriteMultipleRegisters(*start, count(words.len())?)
        }
        Request::Custom(..) => Response::Custom(function, Bytes::copy_from_slice(body)),
        Request::ReportServerId | Request::ReadDeviceIdentification(..) => {
            Response::try_from(Bytes::copy_from_slice(answer)).map_err(|_| Fault::Quantity)?
        }
    })
}

/// What follows the function code of an answer that is no refusal.
fn accepted(function: u8, answer: &[u8]) -> Result<&[u8], Fault> {
    match answer {
        [] => Err(Fault::Short),
        [code, body @ ..] if *code == function => Ok(body),
        [code, rest @ ..] if *code == function | REFUSED => match rest {
            [exception] => Err(Fault::Exception(*exception)),
            [] | [_, _, ..] => Err(Fault::Short),
        },
        [code, ..] => Err(Fault::Function(*code)),
    }
}

/// The values behind a byte count, which must be `bytes` and be true.
fn counted(body: &[u8], bytes: u16) -> Result<&[u8], Fault> {
    match body {
        [stated, values @ ..]
            if u16::from(*stated) == bytes && values.len() == usize::from(bytes) =>
        {
            Ok(values)
        }
        _ => Err(Fault::Quantity),
    }
}

fn bits(body: &[u8], count: u16) -> Result<Vec<bool>, Fault> {
    let values = counted(body, count.div_ceil(8))?;
    let all = values.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    Ok(all.take(usize::from(count)).collect())
}

fn registers(body: &[u8], count: u16) -> Result<Vec<u16>, Fault> {
    let bytes = count.checked_mul(2).ok_or(Fault::Quantity)?;
    Ok(counted(body, bytes)?.chunks_exact(2).map(joined).collect())
}

fn echoed(answer: &[u8], wanted: &[u8]) -> Result<(), Fault> {
    if answer == wanted { Ok(()) } else { Err(Fault::Quantity) }
}

fn joined(pair: &[u8]) -> u16 {
    pair.iter().fold(0, |word, byte| word << 8 | u16::from(*byte))
}

fn packed(bits: &[bool]) -> u8 {
    bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))
}

fn put_words(words: &[u16], outbox: &mut Vec<u8>) {
    outbox.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}

fn put_counted(words: &[u16], outbox: &mut Vec<u8>) -> Result<(), Fault> {
    outbox.push(u8::try_from(words.len() * 2).map_err(|_| Fault::Request)?);
    put_words(words, outbox);
    Ok(())
}

fn count(values: usize) -> Result<u16, Fault> {
    u16::try_from(values).map_err(|_| Fault::Request)
}
