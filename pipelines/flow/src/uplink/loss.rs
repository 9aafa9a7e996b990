//! Loss: what an uplink will never deliver, told as an event that is itself forwarded.

use std::ops::Range;

use serde::Deserialize;
use serde_json::json;
use signals::{Envelope, Event, Severity, Timestamp};

/// Why messages are not delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LossReason {
    /// The outbox had reached its bound of bytes.
    OutboxFull,
    /// They had waited longer than messages are kept.
    TooOld,
    /// The broker ends the connection over them, time and again.
    Refused,
    /// They have more bytes than may be sent.
    TooLarge,
}

impl LossReason {
    /// The reason in events and metrics.
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::OutboxFull => "outbox_full",
            Self::TooOld => "too_old",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
        }
    }
}

/// Messages of one stream that one uplink will never deliver.
#[derive(Debug)]
pub(super) struct Loss<'a> {
    pub(super) uplink: &'a str,
    pub(super) stream: &'a str,
    /// Their numbers.
    pub(super) seqs: Range<u64>,
    /// `ts` of the first and of the last, as far as they are known.
    pub(super) times: (Option<String>, Option<String>),
    pub(super) reason: LossReason,
    /// What happened, for people.
    pub(super) detail: String,
}

impl Loss<'_> {
    pub(super) fn messages(&self) -> u64 {
        self.seqs.end.saturating_sub(self.seqs.start)
    }

    /// The record of it: receivers know from it why these numbers never come.
    pub(super) fn event(&self, now: Timestamp) -> Event {
        let (first, last) = (self.seqs.start, self.seqs.end.saturating_sub(1));
        let Self { uplink, stream, detail, .. } = self;
        let messages = self.messages();
        Event {
            ts: now,
            kind: "messages_lost".to_owned(),
            severity: Severity::Alarm,
            source: (*uplink).to_owned(),
            message: format!(
                "uplink {uplink}: {messages} messages of {stream}, seq {first} to {last}, are not \
                 delivered: {detail}"
            ),
            details: json!({
                "uplink": uplink,
                "stream": stream,
                "seq_first": first,
                "seq_last": last,
                "messages": messages,
                "ts_first": self.times.0,
                "ts_last": self.times.1,
                "reason": self.reason.as_str(),
            }),
        }
    }
}

/// `ts` of a message.
pub(super) fn stamp(envelope: &Envelope) -> Option<String> {
    #[derive(Deserialize)]
    struct Stamp {
        ts: String,
    }
    serde_json::from_slice::<Stamp>(&envelope.payload).ok().map(|stamp| stamp.ts)
}
