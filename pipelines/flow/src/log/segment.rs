//! Segments: the files of a log, each named after its first offset.

use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use signals::{Disk, Offset};

use super::frame::{self, Found, Frame};

const SUFFIX: &str = "seg";
/// Bytes read at a time when frames are walked through.
const WALK_BYTES: usize = 64 << 10;

/// One file of a log.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) first: Offset,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Segment {
    /// The folder it is in.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

/// What a scan of a segment found.
#[derive(Default)]
pub(super) struct Scanned {
    /// The last whole frame; `None` without one.
    pub(super) last: Option<Frame>,
    /// Bytes up to the end of the last whole frame.
    pub(super) bytes: u64,
    /// Bytes in the file behind that.
    pub(super) torn_bytes: u64,
    /// Stretches of damage in front of a whole frame.
    pub(super) damaged: u32,
}

/// Path of the segment that starts at `first`.
pub(super) fn path_of(folder: &Path, first: Offset) -> PathBuf {
    folder.join(format!("{:020}.{SUFFIX}", first.0))
}

/// The segments of a folder in order. Files with other names are left alone.
pub(super) fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for path in disk.list(folder)? {
        if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
            continue;
        }
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|s| s.parse().ok());
        let Some(first) = first.map(Offset) else { continue };
        let bytes = disk.open(&path)?.seek(SeekFrom::End(0))?;
        segments.push(Segment { first, path, bytes });
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// Walks the whole frames from byte `from` on, over damage, until `visit` says stop (`false`).
///
/// Returns the place after the last frame visited.
pub(super) fn walk(
    disk: &dyn Disk,
    path: &Path,
    from: u64,
    mut visit: impl FnMut(u64, Frame) -> io::Result<bool>,
) -> io::Result<Walk> {
    // Commits are small: two readings each would be two calls of the system each.
    let mut source = BufReader::with_capacity(WALK_BYTES, disk.open(path)?);
    let mut walk = Walk { place: from, damaged: 0 };
    source.seek(SeekFrom::Start(from))?;
    loop {
        match frame::read(&mut source)? {
            Found::End => return Ok(walk),
            Found::Frame(frame) => {
                let start = walk.place;
                walk.place += frame.bytes();
                if !visit(start, frame)? {
                    return Ok(walk);
                }
            }
            Found::Damage => {
                // Damage at the end is a torn tail; damage with a frame behind it is a hole.
                let Some(place) = frame::resync(&mut source, walk.place + 1)? else {
                    return Ok(walk);
                };
                walk.damaged += 1;
                walk.place = place;
                source.seek(SeekFrom::Start(place))?;
            }
        }
    }
}

/// Where a walk ended.
pub(super) struct Walk {
    /// Byte after the last frame visited.
    pub(super) place: u64,
    /// Stretches of damage walked over.
    pub(super) damaged: u32,
}

/// Reads a whole segment to see what of it is right.
pub(super) fn scan(disk: &dyn Disk, segment: &Segment) -> io::Result<Scanned> {
    let mut scanned = Scanned::default();
    let walk = walk(disk, &segment.path, 0, |_, frame| {
        scanned.last = Some(frame);
        Ok(true)
    })?;
    scanned.bytes = walk.place;
    scanned.damaged = walk.damaged;
    scanned.torn_bytes = segment.bytes.saturating_sub(walk.place);
    Ok(scanned)
}
