//! When something is sent, and how fast.

use std::sync::Arc;
use std::time::Duration;

use pipelines_flow::uplink::Hours;
use signals::{Clock, Stop};

use crate::shelf::UploadError;

/// How often the stop is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Rate, hours and the stop.
pub(crate) struct Pace {
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) hours: Option<Hours>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: Stop,
}

impl Pace {
    /// Whether something may be sent now.
    ///
    /// # Errors
    /// [`UploadError::Stopped`], [`UploadError::Hours`].
    pub(crate) fn may_send(&self) -> Result<(), UploadError> {
        if self.stop.is_raised() {
            return Err(UploadError::Stopped);
        }
        match self.hours {
            Some(hours) if !hours.contain(self.clock.now()) => Err(UploadError::Hours),
            Some(_) | None => Ok(()),
        }
    }

    /// Waits until so many bytes that were sent are within the rate.
    ///
    /// # Errors
    /// As [`Pace::may_send`].
    pub(crate) async fn sent(&self, bytes: usize) -> Result<(), UploadError> {
        if let Some(rate) = self.bytes_per_s {
            let micros = (bytes as u64).saturating_mul(1_000_000) / rate.max(1);
            self.unless_stopped(tokio::time::sleep(Duration::from_micros(micros))).await?;
        }
        self.may_send()
    }

    /// Work, unless the stop comes first.
    ///
    /// # Errors
    /// [`UploadError::Stopped`].
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, UploadError> {
        let raised = async {
            while !self.stop.is_raised() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = raised => Err(UploadError::Stopped),
        }
    }
}
