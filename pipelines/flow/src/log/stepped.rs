//! A log without a thread: each turn of the appender is a call, so that the same seed gives the
//! same history.

use super::writer::{self, Appender, Turn};
use super::{Arc, Clock, Codec, Disk, Log, LogError, LogOptions, Mutex, Owner, Recovery, prepare};

/// A log whose appender makes a turn when told to.
pub(crate) struct Stepped<R: Send + Sync + 'static> {
    pub(crate) log: Log<R>,
    appender: Appender<R>,
}

impl<R: Send + Sync + 'static> Stepped<R> {
    /// As [`Log::open`].
    pub(crate) fn open(
        options: LogOptions,
        files: (Arc<dyn Disk>, Arc<dyn Clock>),
        codec: Arc<dyn Codec<R>>,
    ) -> Result<(Self, Recovery), LogError> {
        let (shared, recovery) = prepare(options, files, codec)?;
        let owner = Owner { shared: Arc::clone(&shared), thread: Mutex::new(None) };
        let log = Log { shared, owner: Arc::new(owner) };
        Ok((Self { log, appender: Appender::default() }, recovery))
    }

    /// One group commit; whether it went well.
    pub(crate) fn turn(&mut self) -> bool {
        self.appender.turn(&self.log.shared) == Turn::Done
    }

    /// Saves cursors and frees segments.
    pub(crate) fn tidy(&self) {
        writer::tidy(&self.log.shared);
    }
}
