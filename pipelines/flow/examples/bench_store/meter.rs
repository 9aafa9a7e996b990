//! Processor time, memory and rates, from the kernel.

use std::fs;
use std::path::Path;

/// Seconds that the calling thread has computed.
pub(crate) fn thread_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts time");
    nanos(&text) / 1e9
}

/// Seconds that all threads of this process have computed.
pub(crate) fn process_seconds() -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("the kernel lists threads");
    let of_thread = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("schedstat")).ok();
    threads.flatten().filter_map(of_thread).map(|text| nanos(&text)).sum::<f64>() / 1e9
}

fn nanos(schedstat: &str) -> f64 {
    schedstat.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

/// The greatest resident set so far, in MiB.
pub(crate) fn peak_mib() -> f64 {
    status("VmHWM:") / 1024.0
}

/// The resident set, in MiB.
pub(crate) fn resident_mib() -> f64 {
    status("VmRSS:") / 1024.0
}

fn status(name: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the line is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Bytes of all files below a folder, and how many there are.
pub(crate) fn held(folder: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    for entry in fs::read_dir(folder).expect("the folder can be read").flatten() {
        let about = entry.metadata().expect("the file is there");
        if about.is_dir() {
            let (of_folder, in_folder) = held(&entry.path());
            bytes += of_folder;
            files += in_folder;
        } else {
            bytes += about.len();
            files += 1;
        }
    }
    (bytes, files)
}

/// A count for a ratio.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}
