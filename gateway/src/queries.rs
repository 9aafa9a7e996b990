//! SQL of the page and its scripts over the running gateway's own folder: few at a time, each
//! within limits that leave the machine to sampling.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pipelines_sql::{Lake, Limits, SqlError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Queries that run at once.
const SEATS: usize = 2;
/// Queries that run or wait for their turn; further ones are turned away.
pub const QUEUE: usize = 16;
/// How long a query waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a query over HTTP may take. All of them share the memory.
pub const LIMITS: Limits =
    Limits { memory_bytes: 128 << 20, time: Duration::from_secs(60), rows: 10_000_000 };

/// The lake as queries see it, opened when the first comes.
pub struct Queries {
    folder: PathBuf,
    lake: Mutex<Option<Lake>>,
    seats: Arc<Semaphore>,
    queue: Semaphore,
}

/// A place among the running queries, given back when dropped.
pub type Seat = OwnedSemaphorePermit;

impl Queries {
    /// Queries over the folder of a gateway.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            lake: Mutex::new(None),
            seats: Arc::new(Semaphore::new(SEATS)),
            queue: Semaphore::new(QUEUE - SEATS),
        }
    }

    /// A seat, in turn; `None` when too many wait, or it takes too long.
    pub async fn seat(&self) -> Option<Seat> {
        if let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            return Some(seat);
        }
        let _place = self.queue.try_acquire().ok()?;
        let seat = Arc::clone(&self.seats).acquire_owned();
        tokio::time::timeout(PATIENCE, seat).await.ok()?.ok()
    }

    /// The lake. Its threads start with the first call.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub fn lake(&self) -> Result<Lake, SqlError> {
        let mut lake = self.lake.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lake) = &*lake {
            return Ok(lake.clone());
        }
        let opened = Lake::open_within(&self.folder, LIMITS)?;
        Ok(lake.insert(opened).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_query_beyond_the_seats_waits_its_turn_and_beyond_the_queue_is_turned_away() {
        let queries = Arc::new(Queries::new(Path::new("/nowhere")));
        let mut seats = Vec::new();
        for _ in 0..SEATS {
            seats.push(queries.seat().await.unwrap());
        }
        let mut waiting = tokio::task::JoinSet::new();
        for _ in SEATS..QUEUE {
            let queries = Arc::clone(&queries);
            waiting.spawn(async move { queries.seat().await.is_some() });
        }
        tokio::task::yield_now().await;
        assert!(queries.seat().await.is_none(), "the queue is full");
        drop(seats);
        let turns = waiting.join_all().await;
        assert_eq!(turns, [true; QUEUE - SEATS], "each gets its turn");
        let _held = (queries.seat().await, queries.seat().await);
        assert!(queries.seat().await.is_none(), "nobody waits for ever");
    }
}
