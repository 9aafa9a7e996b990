//! What the service manager is told: when the gateway is ready, that it lives, that it stops.
//!
//! In: `View`, looked at by a task of the page's runtime. Out: datagrams of `sd_notify(3)` to the
//! socket that `NOTIFY_SOCKET` names; without one nothing is sent.
//!
//! - N-1 `READY=1` is sent once, when `/readyz` would say yes for the first time. Until then each
//!   look asks for more time: devices may be off for days.
//! - N-2 `WATCHDOG=1` follows a look that went through: the page's runtime has run it, the locks of
//!   the journal and of every device were free. It is held back while the journal commits
//!   nothing of what it was given and does not even fail.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use signals::Offset;

use crate::readiness::Readiness;
use crate::view::View;

/// Time between looks until the gateway is ready, and at most afterwards.
const LOOK_UNREADY: Duration = Duration::from_millis(250);
const LOOK_READY_MAX: Duration = Duration::from_secs(5);
/// What a look asks for while the gateway is not ready: more than a look ever takes.
const START_EXTENSION: Duration = Duration::from_secs(30);
/// A journal that neither commits nor fails for so long hangs. A card that cleans up its flash
/// stands still for seconds.
const STALL_MAX: Duration = Duration::from_secs(60);

/// The socket of the service manager that has started this process.
#[derive(Debug)]
pub struct Service {
    socket: UnixDatagram,
    look_every: Duration,
}

impl Service {
    /// The one the environment names; `None` when nobody wants to be told. A socket that cannot be
    /// used is told in the log: the manager will miss the notices and say so.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let place = std::env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty())?;
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_for_us = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| is_for_us).map(Duration::from_micros);
        match Self::at(&place, watchdog) {
            Ok(service) => Some(service),
            Err(err) => {
                let place = place.display();
                tracing::error!(%place, %err, "the service manager cannot be told; check NOTIFY_SOCKET");
                None
            }
        }
    }

    /// The socket at a path, or of an abstract name where `place` begins with `@`, and the time
    /// within which the manager wants a sign of life.
    ///
    /// # Errors
    /// When nobody has bound it.
    pub fn at(place: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match place.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(place)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A manager that does not read must not stop the page.
        socket.set_nonblocking(true)?;
        let look_every = watchdog.map_or(LOOK_READY_MAX, |span| (span / 3).min(LOOK_READY_MAX));
        Ok(Self { socket, look_every })
    }

    /// Looks and tells until the runtime ends.
    pub async fn follow(self: Arc<Self>, view: Arc<View>) {
        let mut vigil = Vigil::default();
        loop {
            let told = vigil.judge(&Look::at(&view), view.clock.monotonic());
            match self.tell(&told.lines()) {
                Ok(()) => vigil.settle(told),
                // Tried again with the next look.
                Err(err) => tracing::debug!(%err, "the service manager was not told"),
            }
            let pause = if vigil.is_ready { self.look_every } else { LOOK_UNREADY };
            tokio::time::sleep(pause.min(self.look_every)).await;
        }
    }

    /// Says that the stop has begun.
    pub fn stopping(&self) {
        if let Err(err) = self.tell("STOPPING=1\nSTATUS=stopping: what was sampled is made durable")
        {
            tracing::debug!(%err, "the service manager was not told of the stop");
        }
    }

    fn tell(&self, lines: &str) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.socket.send(lines.as_bytes()).map(drop)
    }
}

/// What a look has found.
#[derive(Clone, Debug)]
struct Look {
    readiness: Readiness,
    next: Offset,
    durable: Offset,
    failed_commits: u64,
}

impl Look {
    fn at(view: &View) -> Self {
        Self {
            readiness: Readiness::of(view),
            // Before what is next, so that a commit in between shows as nothing waiting.
            durable: view.journal.durable(),
            next: view.journal.next(),
            failed_commits: view.journal.counts().failed_commits,
        }
    }
}

/// What is to be told after a look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Notice {
    is_ready: bool,
    asks_for_time: bool,
    is_alive: bool,
    status: Option<String>,
}

impl Notice {
    fn lines(&self) -> String {
        let mut lines = Vec::new();
        if self.is_ready {
            lines.push("READY=1".to_owned());
        }
        if self.asks_for_time {
            lines.push(format!("EXTEND_TIMEOUT_USEC={}", START_EXTENSION.as_micros()));
        }
        if self.is_alive {
            lines.push("WATCHDOG=1".to_owned());
        }
        lines.extend(self.status.iter().map(|status| format!("STATUS={status}")));
        lines.join("\n")
    }
}

/// What earlier looks have found and the manager has been told.
#[derive(Debug, Default)]
struct Vigil {
    is_ready: bool,
    status: String,
    durable: Offset,
    failed_commits: u64,
    /// When the journal last did something, or had nothing to do.
    moved: Duration,
}

impl Vigil {
    /// What to tell after a look at `now`, monotonic.
    fn judge(&mut self, look: &Look, now: Duration) -> Notice {
        let is_idle = look.next == look.durable;
        let has_moved = look.durable != self.durable || look.failed_commits != self.failed_commits;
        if is_idle || has_moved {
            self.moved = now;
        }
        (self.durable, self.failed_commits) = (look.durable, look.failed_commits);
        let still = now.saturating_sub(self.moved);
        let is_alive = still < STALL_MAX;
        let status = if is_alive { status_of(&look.readiness) } else { stalled(still) };
        let is_ready = look.readiness.is_ready() && !self.is_ready;
        Notice {
            is_ready,
            asks_for_time: is_alive && !is_ready && !self.is_ready,
            is_alive,
            status: (status != self.status).then_some(status),
        }
    }

    /// Keeps what the manager now knows.
    fn settle(&mut self, told: Notice) {
        self.is_ready |= told.is_ready;
        if let Some(status) = told.status {
            self.status = status;
        }
    }
}

/// One line for `systemctl status`.
fn status_of(readiness: &Readiness) -> String {
    let devices = match readiness.devices {
        0 => "no devices".to_owned(),
        known => format!("{} of {known} devices answer", known - readiness.devices_failed),
    };
    match &readiness.journal_error {
        None => devices,
        // An error's text is one line of the manager's, whatever is in it.
        Some(err) => format!("journal: {}; {devices}", err.replace('\n', " ")),
    }
}

/// The status of a journal that hangs. Seconds would make every look news.
fn stalled(still: Duration) -> String {
    format!("journal: nothing committed for {} min, and no error", still.as_secs() / 60)
}

#[cfg(test)]
mod tests;
