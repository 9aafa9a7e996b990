//! The answer to a query, batch by batch.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::Stream;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::SqlError;
use crate::lake::Limits;

/// Rows of an answer as they are found. Dropping it ends the query.
pub struct Rows {
    schema: SchemaRef,
    batches: Receiver<Result<RecordBatch, SqlError>>,
    work: Work,
    until: Pin<Box<Sleep>>,
    limits: Limits,
    left: u64,
    is_cut: bool,
    has_ended: bool,
}

/// The task of a query, which ends with this.
pub(crate) struct Work {
    task: JoinHandle<()>,
    until: Instant,
}

impl Work {
    /// A task that began now and may take `limit`.
    pub(crate) fn new(task: JoinHandle<()>, limit: Duration) -> Self {
        // A limit that no clock can show is none.
        let far = Duration::from_hours(365 * 24);
        Self { task, until: Instant::now() + limit.min(far) }
    }

    /// When it has to be done.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rows {
    /// The batches that `work` sends.
    pub(crate) fn new(
        schema: SchemaRef,
        batches: Receiver<Result<RecordBatch, SqlError>>,
        work: Work,
        limits: Limits,
    ) -> Self {
        Self {
            schema,
            batches,
            until: Box::pin(sleep_until(work.until)),
            work,
            left: limits.rows,
            limits,
            is_cut: false,
            has_ended: false,
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

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch, SqlError>>> {
        if self.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(SqlError::Time { limit: self.limits.time })));
        }
        match ready!(self.batches.poll_recv(cx)) {
            Some(Ok(rows)) => Poll::Ready(self.cut(rows).map(Ok)),
            Some(Err(err)) => Poll::Ready(Some(Err(err))),
            // A task that broke off must not look like one that is done.
            None => match ready!(Pin::new(&mut self.work.task).poll(cx)) {
                Ok(()) => Poll::Ready(None),
                Err(err) => Poll::Ready(Some(Err(SqlError::Run(err.to_string())))),
            },
        }
    }

    /// At most as many rows as are left; the answer ends with the first one too many.
    fn cut(&mut self, rows: RecordBatch) -> Option<RecordBatch> {
        let count = rows.num_rows() as u64;
        if count <= self.left {
            self.left -= count;
            return Some(rows);
        }
        self.is_cut = true;
        let kept = usize::try_from(self.left).unwrap_or(usize::MAX);
        self.left = 0;
        (kept > 0).then(|| rows.slice(0, kept))
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.next(cx));
        let is_last = matches!(next, None | Some(Err(_))) || self.is_cut;
        if is_last {
            self.has_ended = true;
            self.work.task.abort();
        }
        Poll::Ready(next)
    }
}
