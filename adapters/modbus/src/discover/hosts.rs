//! Lists as people write them: networks, hosts, unit ids.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

/// Hosts of the largest network that is searched: a /20.
const HOSTS_MAX: u32 = 4096;

/// A list that cannot be used; says what to write.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{text}\": {problem}; {remedy}")]
pub struct HostsError {
    text: String,
    problem: &'static str,
    remedy: &'static str,
}

/// The hosts of `10.0.0.0/24` (without network and broadcast address), or the one host named.
///
/// # Errors
/// [`HostsError`] when it is no network, or a larger one than /20.
pub fn hosts(text: &str) -> Result<Vec<String>, HostsError> {
    let wrong = |problem, remedy| HostsError { text: text.to_owned(), problem, remedy };
    let text = text.trim();
    let Some((address, prefix)) = text.split_once('/') else {
        let is_name = !text.is_empty() && !text.contains(|c: char| c.is_whitespace());
        return if is_name {
            Ok(vec![text.to_owned()])
        } else {
            Err(wrong("is no host", "write a name, an address or a network"))
        };
    };
    let network = "write a network, for example 192.168.1.0/24";
    let address: Ipv4Addr = address.parse().map_err(|_| wrong("is no IPv4 network", network))?;
    let prefix: u32 = prefix.parse().map_err(|_| wrong("is no IPv4 network", network))?;
    if prefix > 32 {
        return Err(wrong("has no such prefix", "write a prefix of 20 to 32"));
    }
    let count = 1_u64 << (32 - prefix);
    if count > u64::from(HOSTS_MAX) {
        return Err(wrong("has more than 4,096 hosts", "search it in parts of /20 or smaller"));
    }
    let count = u32::try_from(count).unwrap_or(HOSTS_MAX);
    let first = u32::from(address) & !(count - 1);
    // Networks of one or two addresses have neither a network nor a broadcast address.
    let inside = if count > 2 { 1..count - 1 } else { 0..count };
    Ok(inside.map(|place| Ipv4Addr::from(first + place).to_string()).collect())
}

/// Numbers from a list of numbers and ranges: `1,5,10-20`; each once, in the order given.
///
/// # Errors
/// [`HostsError`] when a part of it is no number within `allowed`.
pub fn numbers<T>(text: &str, allowed: RangeInclusive<T>) -> Result<Vec<T>, HostsError>
where
    T: std::str::FromStr + TryFrom<u32> + Into<u32> + Copy + Eq,
{
    let wrong = |problem| HostsError {
        text: text.to_owned(),
        problem,
        remedy: "write numbers and ranges, for example 1,5,10-20",
    };
    let (low, high): (u32, u32) = ((*allowed.start()).into(), (*allowed.end()).into());
    let number = |text: &str| {
        let number: u32 = text.trim().parse().map_err(|_| wrong("is no list of numbers"))?;
        let inside = (low..=high).contains(&number);
        inside.then_some(number).ok_or_else(|| wrong("a number is out of range"))
    };
    let mut found = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(wrong("a range ends before it begins"));
        }
        for one in (first..=last).filter_map(|one| T::try_from(one).ok()) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    Ok(found)
}
