//! Terms: warns in time that a certificate ends. Pure.

use std::collections::BTreeMap;

use signals::{Event, Severity, Timestamp};

use super::CertificateTerm;

/// Days left at which a warning is due, once each.
const DUE_DAYS: [i64; 6] = [30, 14, 7, 3, 1, 0];

/// What has been warned of.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// The term warned of and the last threshold, by role.
    told: BTreeMap<&'static str, (Timestamp, i64)>,
}

impl Warnings {
    /// The warnings that are due at `now`.
    pub(super) fn due(
        &mut self,
        uplink: &str,
        terms: &[CertificateTerm],
        now: Timestamp,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for term in terms {
            let days = term.days_left(now);
            let Some(due) = DUE_DAYS.into_iter().rev().find(|due| days < *due) else {
                self.told.remove(term.role);
                continue;
            };
            let known = self.told.insert(term.role, (term.not_after, due));
            if known.is_none_or(|(not_after, told)| not_after != term.not_after || told > due) {
                events.push(warning(uplink, term, now));
            }
        }
        events
    }
}

fn warning(uplink: &str, term: &CertificateTerm, now: Timestamp) -> Event {
    let days = term.days_left(now);
    let whose = match term.role {
        "ours" => "our certificate",
        "authority" => "the certificate of an authority in `ca`",
        _ => "the broker's certificate",
    };
    let ends = term.not_after.date();
    let message = if days < 0 {
        format!("uplink {uplink}: {whose} ended on {ends}; renew it")
    } else {
        format!("uplink {uplink}: {whose} ends on {ends}, in {days} days; renew it")
    };
    Event {
        ts: now,
        kind: "certificate_ends".to_owned(),
        severity: if days < 7 { Severity::Alarm } else { Severity::Advisory },
        source: uplink.to_owned(),
        message,
        details: serde_json::json!({
            "uplink": uplink,
            "certificate": term.role,
            "not_after": term.not_after.to_string(),
            "days_left": days,
        }),
    }
}

#[cfg(test)]
mod tests;
