//! Where the bytes of a group go: numbers into pools of one width, their bytes into streams of
//! like significance, each stream compressed by itself. Noise beside zeros would spoil both.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::super::bytes::{Reading, put_varint};
use super::super::unusable;
use super::VERSION;

/// zstd 1: within 1 % of level 3 on process values at a fraction of the time.
const ZSTD_LEVEL: i32 = 1;
/// A stream above this is not one of ours: a commit is cut long before.
const STREAM_BYTES_MAX: usize = 256 << 20;
/// A stream this short is left as it is.
const SHORT_BYTES: usize = 32;

/// Numbers that are alike in width and habit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pool {
    Time,
    W1,
    W2,
    W4,
    W8,
    F32,
    F64,
    Decimal,
}

/// Which stream a byte of a number goes to.
#[derive(Clone, Copy, Debug)]
enum To {
    /// Mostly zero.
    High = 1,
    /// Small numbers.
    Low = 2,
    /// Next to random.
    Noise = 3,
}

const POOLS: usize = 8;
const STREAMS: usize = 4;

/// Streams of the bytes of each pool's numbers, lowest byte first.
const PLANES: [&[To]; POOLS] = {
    use To::{High, Low, Noise};
    [
        &[Noise, Low, High, High, High, High, High, High],
        &[Low],
        &[Low, High],
        &[Low, High, High, High],
        &[Low, High, High, High, High, High, High, High],
        &[Noise, Noise, Low, High],
        &[Noise, Noise, Noise, Noise, Noise, Noise, Low, High],
        &[Low, High, High, High, High, High, High, High],
    ]
};

/// A group being written.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Everything that is not a number.
    pub(super) structure: Vec<u8>,
    pools: [Vec<u64>; POOLS],
}

impl Writing {
    pub(super) fn pool(&mut self, pool: Pool) -> &mut Vec<u64> {
        self.pools.get_mut(pool as usize).expect("every pool has its place")
    }

    /// Appends the group's bytes.
    pub(super) fn finish(self, out: &mut Vec<u8>) -> io::Result<()> {
        out.push(VERSION);
        let mut streams: [Vec<u8>; STREAMS] = Default::default();
        for (pool, planes) in self.pools.iter().zip(PLANES) {
            put_varint(out, pool.len() as u64);
            for (place, to) in planes.iter().enumerate() {
                let stream = streams.get_mut(*to as usize).expect("every byte has its stream");
                stream.extend(pool.iter().map(|number| number.to_le_bytes_at(place)));
            }
        }
        let [structure, ..] = &mut streams;
        *structure = self.structure;
        streams.iter().try_for_each(|stream| put_stream(stream, out))
    }
}

trait ByteAt {
    fn to_le_bytes_at(self, place: usize) -> u8;
}

impl ByteAt for u64 {
    #[expect(clippy::cast_possible_truncation, reason = "one byte is wanted")]
    fn to_le_bytes_at(self, place: usize) -> u8 {
        (self >> (8 * place)) as u8
    }
}

fn put_stream(stream: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    if stream.len() > STREAM_BYTES_MAX {
        return Err(unusable("commit above 256 MiB".to_owned()));
    }
    put_varint(out, stream.len() as u64);
    let packed = match stream.len() {
        ..SHORT_BYTES => Vec::new(),
        _ => pack(stream)?,
    };
    if packed.is_empty() || packed.len() >= stream.len() {
        put_varint(out, 0);
        out.extend_from_slice(stream);
    } else {
        put_varint(out, packed.len() as u64);
        out.extend_from_slice(&packed);
    }
    Ok(())
}

thread_local! {
    // To make one takes longer than what most streams take.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn pack(stream: &[u8]) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| match packer {
        Some(packer) => packer.compress(stream),
        None => packer.insert(Compressor::new(ZSTD_LEVEL)?).compress(stream),
    })
}

/// At most `length` bytes.
fn unpack(packed: &[u8], length: usize) -> io::Result<Vec<u8>> {
    UNPACKER.with_borrow_mut(|unpacker| match unpacker {
        Some(unpacker) => unpacker.decompress(packed, length),
        None => unpacker.insert(Decompressor::new()?).decompress(packed, length),
    })
}

/// A group being read.
#[derive(Debug)]
pub(super) struct Numbers {
    pools: [Run; POOLS],
}

/// Numbers of a pool and how many have been taken.
#[derive(Debug, Default)]
struct Run {
    numbers: Vec<u64>,
    taken: usize,
}

impl Numbers {
    /// The next `count` numbers of a pool.
    pub(super) fn take(&mut self, pool: Pool, count: usize) -> io::Result<&[u64]> {
        let run = self.pools.get_mut(pool as usize).expect("every pool has its place");
        let end = run.taken.saturating_add(count);
        let found = run.numbers.get(run.taken..end);
        run.taken = end;
        found.ok_or_else(|| unusable("group ends before its numbers".to_owned()))
    }

    /// How many numbers of a pool have not been taken.
    pub(super) fn left(&self, pool: Pool) -> usize {
        let run = self.pools.get(pool as usize);
        run.map_or(0, |run| run.numbers.len().saturating_sub(run.taken))
    }
}

/// The structure and the numbers of a group.
pub(super) fn read(bytes: &[u8]) -> io::Result<(Vec<u8>, Numbers)> {
    let mut from = Reading(bytes);
    let version = from.byte()?;
    if version != VERSION {
        let text = format!("a commit of version {version}; this program reads {VERSION}");
        return Err(unusable(text));
    }
    let mut counts = [0usize; POOLS];
    for count in &mut counts {
        *count = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
    }
    let mut streams: [Vec<u8>; STREAMS] = Default::default();
    for stream in &mut streams {
        *stream = take_stream(&mut from)?;
    }
    let [structure, high, low, noise] = streams;
    let mut rest = [Reading(&[]), Reading(&high), Reading(&low), Reading(&noise)];
    let mut pools: [Run; POOLS] = Default::default();
    for ((run, planes), count) in pools.iter_mut().zip(PLANES).zip(counts) {
        for (place, to) in planes.iter().enumerate() {
            let stream = rest.get_mut(*to as usize).expect("every byte has its stream");
            let plane = stream.slice(count)?;
            run.numbers.resize(count, 0);
            for (number, byte) in run.numbers.iter_mut().zip(plane) {
                *number |= u64::from(*byte) << (8 * place);
            }
        }
    }
    Ok((structure, Numbers { pools }))
}

fn take_stream(from: &mut Reading<'_>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
    if length > STREAM_BYTES_MAX {
        return Err(unusable("stream above 256 MiB".to_owned()));
    }
    let packed = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
    if packed == 0 {
        return Ok(from.slice(length)?.to_vec());
    }
    let stream = unpack(from.slice(packed)?, length)?;
    if stream.len() != length {
        return Err(unusable("stream is shorter than it says".to_owned()));
    }
    Ok(stream)
}

/// The same group with another structure.
#[cfg(test)]
pub(super) fn with_structure(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (mut structure, numbers) = read(bytes).unwrap();
    change(&mut structure);
    let mut out = Vec::new();
    Writing { structure, pools: numbers.pools.map(|run| run.numbers) }.finish(&mut out).unwrap();
    out
}
