//! What is written of a network interface, and the check of it.

use signals::Mistake;

use super::CanConfig;
use crate::bus::{Filter, Live};

/// Slowest and fastest bit rates of controllers that are in use.
const BITRATE_MIN: u32 = 1_000;
const BITRATE_MAX: u32 = 1_000_000;
const DATA_BITRATE_MAX: u32 = 20_000_000;
/// Longest name of a network interface in Linux (IFNAMSIZ without its zero).
const INTERFACE_CHARS_MAX: usize = 15;

impl CanConfig {
    pub(super) fn checked_live(&self, interface: &str, mistakes: &mut Vec<Mistake>) -> Live {
        let legal = |c: char| !c.is_whitespace() && c != '/';
        let fits = (1..=INTERFACE_CHARS_MAX).contains(&interface.len());
        if !fits || !interface.chars().all(legal) {
            mistakes.push(Mistake::new(
                "interface",
                format!("`{interface}` is not the name of a network interface"),
                "write its name as `ip link` shows it, like `can0`",
            ));
        }
        let rates = [
            ("bitrate", self.bitrate, BITRATE_MAX),
            ("data_bitrate", self.data_bitrate, DATA_BITRATE_MAX),
        ];
        for (key, rate, max) in rates {
            if let Some(rate) = rate.filter(|rate| !(BITRATE_MIN..=max).contains(rate)) {
                mistakes.push(Mistake::new(
                    key,
                    format!("{rate} is not between {BITRATE_MIN} and {max} bit/s"),
                    "write the rate in bits per second, like 500000",
                ));
            }
        }
        if self.data_bitrate.is_some() && self.fd == Some(false) {
            mistakes.push(Mistake::new(
                "fd",
                "is false beside `data_bitrate`",
                "remove one of the two: only CAN FD frames have a rate of their own",
            ));
        }
        let filter = match self.filter.as_deref() {
            None | Some("all") => Filter::All,
            Some("known") => Filter::Known,
            Some(other) => {
                mistakes.push(Mistake::new(
                    "filter",
                    format!("`{other}` is not a choice of frames"),
                    "write `all` or `known`",
                ));
                Filter::All
            }
        };
        Live {
            interface: interface.to_owned(),
            bitrate: self.bitrate,
            data_bitrate: self.data_bitrate,
            fd: self.fd.unwrap_or(self.data_bitrate.is_some()),
            listen_only: self.listen_only.unwrap_or(false),
            filter,
        }
    }

    pub(super) fn reject_live_keys(&self, mistakes: &mut Vec<Mistake>) {
        let given = [
            ("bitrate", self.bitrate.is_some()),
            ("data_bitrate", self.data_bitrate.is_some()),
            ("fd", self.fd.is_some()),
            ("listen_only", self.listen_only.is_some()),
            ("filter", self.filter.is_some()),
        ];
        for (key, _) in given.into_iter().filter(|(_, given)| *given) {
            mistakes.push(Mistake::new(
                key,
                "means something for a network interface only",
                "remove it, or replace `replay` by `interface`",
            ));
        }
    }
}
