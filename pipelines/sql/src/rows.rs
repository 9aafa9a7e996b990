//! The answer to a query, batch by batch.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::SqlError;
use crate::lake::Limits;

/// Rows of an answer as they are found. Dropping it ends the query.
///
/// Polling does the work: on a runtime whose threads may be busy for milliseconds.
pub struct Rows {
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    until: Pin<Box<Sleep>>,
    limits: Limits,
    rows_left: u64,
    is_cut: bool,
    has_ended: bool,
    /// The tail's rows live as long as the plan that reads them.
    _tail: MemoryReservation,
}

impl Rows {
    pub(crate) fn new(
        stream: SendableRecordBatchStream,
        limits: Limits,
        began: Instant,
        tail: MemoryReservation,
    ) -> Self {
        // A limit that no clock can show is none.
        let far = Duration::from_secs(86_400 * 365);
        Self {
            schema: stream.schema(),
            stream,
            until: Box::pin(sleep_until(began + limits.time.min(far))),
            rows_left: limits.rows,
            limits,
            is_cut: false,
            has_ended: false,
            _tail: tail,
        }
    }

    /// Columns of the answer.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Whether there were more rows than [`Limits::rows`]. Known once the stream has ended.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// At most as many rows as are left; the answer ends with the first one too many.
    fn cut(&mut self, rows: RecordBatch) -> Option<RecordBatch> {
        let count = rows.num_rows() as u64;
        if count <= self.rows_left {
            self.rows_left -= count;
            return Some(rows);
        }
        self.is_cut = true;
        self.has_ended = true;
        let kept = usize::try_from(self.rows_left).unwrap_or(usize::MAX);
        (kept > 0).then(|| rows.slice(0, kept))
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if self.until.as_mut().poll(cx).is_ready() {
            self.has_ended = true;
            return Poll::Ready(Some(Err(SqlError::Time { limit: self.limits.time })));
        }
        match self.stream.as_mut().poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.has_ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(rows))) => Poll::Ready(self.cut(rows).map(Ok)),
            Poll::Ready(Some(Err(err))) => {
                self.has_ended = true;
                let err = SqlError::of_engine(&err, self.limits.memory_bytes);
                Poll::Ready(Some(Err(err)))
            }
        }
    }
}
