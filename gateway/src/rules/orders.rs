//! What operators and engineers do to alarms. Each order is an event in the journal, and counts
//! from when it has come back from there.

use std::time::Duration;

use pipelines_flow::alarm::{Senseless, Turn};
use serde_json::json;
use signals::{Event, Severity};

use super::board::{
    ACKNOWLEDGED, Board, IN_SERVICE, OUT_OF_SERVICE, RESET, SHELVED, Standing, UNSHELVED,
};
use crate::access::{Role, random};

/// Longest time on the shelf: what is to be silent longer is out of service.
const SHELF_MAX: Duration = Duration::from_hours(24);
/// How long an order may take to come back: two commits of the journal and some.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest comment, in characters.
const COMMENT_MAX: usize = 500;

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// I have seen it.
    Acknowledge,
    /// It may go, after it latched.
    Reset,
    /// Tell nobody for so long.
    Shelve(Duration),
    /// Tell it again.
    Unshelve,
    /// Tell nobody until it is put back.
    OutOfService,
    /// Put it back.
    InService,
}

impl Verb {
    /// Who may.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Acknowledge | Self::Reset | Self::Shelve(_) | Self::Unshelve => Role::Operator,
            Self::OutOfService | Self::InService => Role::Engineer,
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Acknowledge => ACKNOWLEDGED,
            Self::Reset => RESET,
            Self::Shelve(_) => SHELVED,
            Self::Unshelve => UNSHELVED,
            Self::OutOfService => OUT_OF_SERVICE,
            Self::InService => IN_SERVICE,
        }
    }

    /// Whether there must be a reason.
    const fn wants_reason(self) -> bool {
        matches!(self, Self::Shelve(_) | Self::OutOfService)
    }
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The alarm's name.
    pub alarm: String,
    /// What is to be done.
    pub verb: Verb,
    /// Who gives it.
    pub by: String,
    /// Why; silence wants a reason.
    pub comment: Option<String>,
}

/// Why an order was not followed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No rule of that name has an alarm.
    #[error("there is no alarm \"{0}\"")]
    Unknown(String),
    /// It makes no sense in the alarm's state.
    #[error("{0}: {1}")]
    Senseless(String, Senseless),
    /// Something about the order itself.
    #[error("{0}")]
    Unfit(String),
    /// It could not be made durable in time.
    #[error("the order is not in the journal yet: {0}")]
    NotDurable(String),
}

impl Board {
    /// Follows an order: it is durable when this returns.
    ///
    /// # Errors
    /// [`OrderError`]. After `NotDurable` it may still come to pass.
    pub async fn follow(&self, order: Order) -> Result<Standing, OrderError> {
        let Order { alarm, verb, by, comment } = order;
        let comment = comment.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let now = self.clock.now();
        let mut until = None;
        let turn = match verb {
            Verb::Acknowledge => Turn::Acknowledged,
            Verb::Reset => Turn::Reset,
            Verb::Unshelve => Turn::Unshelved,
            Verb::OutOfService => Turn::OutOfService,
            Verb::InService => Turn::InService,
            Verb::Shelve(time) if time.is_zero() || time > SHELF_MAX => {
                let problem = format!("{time:?} is no time for a shelf; use at most {SHELF_MAX:?}");
                return Err(OrderError::Unfit(problem));
            }
            Verb::Shelve(time) => {
                let end = now.plus(time);
                until = Some(end.micros());
                Turn::Shelved { until: end }
            }
        };
        if comment.as_ref().is_some_and(|text| text.chars().count() > COMMENT_MAX) {
            let problem = format!("the comment has more than {COMMENT_MAX} characters");
            return Err(OrderError::Unfit(problem));
        }
        if verb.wants_reason() && comment.is_none() {
            return Err(OrderError::Unfit("silence wants a reason: add `comment`".to_owned()));
        }
        match self.would(&alarm, &turn) {
            None => return Err(OrderError::Unknown(alarm)),
            Some(Err(senseless)) => return Err(OrderError::Senseless(alarm, senseless)),
            Some(Ok(())) => {}
        }
        let order = random().map_err(|err| OrderError::NotDurable(err.to_string()))?;
        let order = format!("{order:032x}");
        let details = json!({
            "alarm": alarm, "by": by, "comment": comment, "until_us": until, "order": order,
        });
        let said = comment.map_or_else(String::new, |comment| format!(": {comment}"));
        let event = Event {
            ts: now,
            kind: verb.kind().to_owned(),
            severity: Severity::Note,
            source: alarm.clone(),
            message: format!("{alarm}: {} by {by}{said}", verb.kind().trim_start_matches("alarm_")),
            details,
        };
        self.bring_back(event, &order).await?;
        self.standing(&alarm).ok_or(OrderError::Unknown(alarm))
    }

    /// Gives the event to the journal and waits until it has come back.
    async fn bring_back(&self, event: Event, order: &str) -> Result<(), OrderError> {
        let mut applied = self.applied();
        if !self.events.offer(&[event]) {
            let problem = "the journal has no room; look at the disk and try again".to_owned();
            return Err(OrderError::NotDurable(problem));
        }
        let back = applied.wait_for(|orders| orders.iter().any(|known| known == order));
        if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, back).await {
            return Ok(());
        }
        let problem = "look at the alarm in a while, and at the disk".to_owned();
        Err(OrderError::NotDurable(problem))
    }
}
