//! The budget of a serial line: what its devices are asked for must fit in its time.

use std::time::Duration;

use signals::{Mistake, duration};

use super::{Line, Transport};

/// Devices that are named as the slowest.
const NAMED: usize = 3;
/// A line that is busy for more of its time has nothing left for repeats and probes.
const SHARE_MAX: f64 = 0.9;
/// A plan that is further off is not mended by slower scans.
const TIMES_MAX: u32 = 1_000;

/// What is wrong with line `place`, when its plan takes more time than there is.
///
/// Nothing is said of lines over the network: their round trip is not known before it is measured.
pub(super) fn check(place: usize, line: &Line) -> Option<Mistake> {
    if !matches!(line.transport, Transport::Rtu { .. }) {
        return None;
    }
    let mut shares = shares(line);
    let whole: f64 = shares.iter().map(|share| share.ratio).sum();
    if whole <= 1.0 {
        return None;
    }
    shares.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let named: Vec<String> = shares.iter().take(NAMED).map(Share::shown).collect();
    let problem = format!(
        "line \"{}\" needs {:.0} % of its time; slowest: {}",
        line.name,
        whole * 100.0,
        named.join(", ")
    );
    Some(Mistake::new(format!("line[{place}]"), problem, remedy(&shares, whole)))
}

/// What the scan of a device takes of the line.
struct Share<'a> {
    device: &'a str,
    period: Duration,
    requests: usize,
    ratio: f64,
}

impl Share<'_> {
    fn shown(&self) -> String {
        let percent = self.ratio * 100.0;
        let every = duration::show(self.period);
        format!("{} every {every} ({} requests, {percent:.0} %)", self.device, self.requests)
    }
}

fn shares(line: &Line) -> Vec<Share<'_>> {
    let cost = line.cost();
    let scans =
        line.devices.iter().flat_map(|device| device.scans.iter().map(move |s| (device, s)));
    scans
        .map(|(device, scan)| {
            let reads = scan.reads().iter();
            let busy: Duration =
                reads.map(|read| cost.time(read.area.holds_bits(), read.count)).sum();
            Share {
                device: &device.name,
                period: scan.period(),
                requests: scan.reads().len(),
                ratio: busy.as_secs_f64() / scan.period().as_secs_f64(),
            }
        })
        .collect()
}

/// How much slower it would have to be.
fn remedy(shares: &[Share<'_>], whole: f64) -> String {
    let times = (2..=TIMES_MAX).find(|times| whole / f64::from(*times) <= SHARE_MAX);
    let times = times.unwrap_or(TIMES_MAX);
    let percent = whole / f64::from(times) * 100.0;
    let mut periods: Vec<Duration> = shares.iter().map(|share| share.period).collect();
    periods.dedup();
    match periods.as_slice() {
        [period] => {
            let slower = duration::show(period.saturating_mul(times));
            format!("scan slower: at {slower} it would need {percent:.0} %; or raise baud")
        }
        _ => format!(
            "scan slower: with every period {times} times as long it would need {percent:.0} %; \
             or raise baud"
        ),
    }
}

#[cfg(test)]
mod tests;
