//! Sources: the lines and buses that are read, each on a thread of its own, and how they change
//! while the gateway runs.
//!
//! In: what is configured ([`Spec`]). Out: rows, through the reception.
//! SO-1 A source that is configured as before is not touched: neither its connection, nor its
//!      slots, nor a sample.
//! SO-2 Nothing is half done: when one of the new sources cannot be built, all old ones go on.
//! SO-3 All sources that have changed or are gone have ended, with their rows handed over, before a
//!      new one begins: a port that goes from one line to another never has two masters.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use adapters_can::bus::LoadedBus;
use adapters_modbus::ModbusLine;
use adapters_modbus::config::Line;
use adapters_modbus::write::DeskHandle;
use signals::adapter::{Health, Instruments, Notebook};
use signals::{Adapter, Clock, Feed, Intake as _, Stop, Table};

mod absence;
mod changes;

use absence::{Ended, tables_of};
pub use changes::{ChangeError, Changes};

use crate::config::Config;
use crate::reception::Reception;
use crate::supervise::Crew;
use crate::view::View;

/// How often it is looked whether a source has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// After so long, and again and again, a source that does not end is named in the log.
const NAMED_EVERY: Duration = Duration::from_secs(10);

/// A source as configured.
#[derive(Clone)]
pub enum Spec {
    /// A Modbus line.
    Line(Line),
    /// A CAN bus.
    Bus(LoadedBus),
}

impl Spec {
    /// All sources of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Vec<Self> {
        let lines = config.lines.iter().cloned().map(Self::Line);
        lines.chain(config.buses.iter().cloned().map(Self::Bus)).collect()
    }

    /// Kind and name: one source after a change is in the place of the one with the same.
    fn place(&self) -> (&'static str, &str) {
        match self {
            Self::Line(line) => ("line", &line.name),
            Self::Bus(bus) => ("can", &bus.bus.name),
        }
    }

    /// `line boiler-house`, `can truck`.
    fn label(&self) -> String {
        let (kind, name) = self.place();
        format!("{kind} {name}")
    }

    /// What going from some to others would change.
    #[must_use]
    pub fn compare(old: &[Self], new: &[Self]) -> Changes {
        let mut changes = Changes::default();
        for spec in new {
            match old.iter().find(|one| one.place() == spec.place()) {
                None => changes.added.push(spec.label()),
                Some(one) if one.is_as(spec) => changes.kept += 1,
                Some(_) => changes.changed.push(spec.label()),
            }
        }
        let gone = old.iter().filter(|one| new.iter().all(|spec| spec.place() != one.place()));
        changes.removed = gone.map(Self::label).collect();
        changes
    }

    /// Whether both are configured alike. Databases of a bus that have changed are the bus's own
    /// business: it takes them while it runs.
    fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Line(one), Self::Line(other)) => one == other,
            (Self::Bus(one), Self::Bus(other)) => one.bus == other.bus,
            (Self::Line(_) | Self::Bus(_), _) => false,
        }
    }
}

/// A source that can be run, and be built again when it ends by itself.
pub struct Built {
    spec: Spec,
    desk: Option<DeskHandle>,
    first: Box<dyn Adapter>,
}

/// How sources are built.
#[derive(Clone)]
pub struct Builder {
    /// What lines keep over restarts.
    pub notebook: Arc<dyn Notebook>,
}

impl Builder {
    /// Builds a source; `desk` gives the desk of a line.
    ///
    /// # Errors
    /// Those of the adapter.
    pub fn build(
        &self,
        spec: Spec,
        desk: impl FnOnce(&Line) -> DeskHandle,
    ) -> anyhow::Result<Built> {
        let desk = match &spec {
            Spec::Line(line) => Some(desk(line)),
            Spec::Bus(_) => None,
        };
        let first = self.adapter(&spec, desk.as_ref())?;
        Ok(Built { spec, desk, first })
    }

    /// The registry of adapters: how each kind in the configuration becomes a source of samples.
    fn adapter(&self, spec: &Spec, desk: Option<&DeskHandle>) -> anyhow::Result<Box<dyn Adapter>> {
        Ok(match spec {
            Spec::Line(line) => {
                let desk = desk.cloned().unwrap_or_else(|| DeskHandle::closed(line));
                let line = ModbusLine::new(line.clone()).with_desk(desk);
                Box::new(line.remembering(Arc::clone(&self.notebook)))
            }
            Spec::Bus(bus) => bus.clone().adapter()?,
        })
    }
}

impl Built {
    /// The tables it will send rows of.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<Table>> {
        self.first.tables()
    }

    /// The health of its devices.
    #[must_use]
    pub fn health(&self) -> Vec<Arc<Health>> {
        self.first.health()
    }

    /// What it counts.
    #[must_use]
    pub fn instruments(&self) -> Vec<Arc<Instruments>> {
        self.first.instruments()
    }
}

/// A source and its thread.
struct Running {
    spec: Spec,
    desk: Option<DeskHandle>,
    tables: Vec<Arc<Table>>,
    devices: Vec<String>,
    lines: Vec<String>,
    stop: Stop,
    crew: Crew,
}

/// All sources.
pub struct Sources {
    builder: Builder,
    view: Arc<View>,
    reception: Arc<Reception>,
    clock: Arc<dyn Clock>,
    running: Mutex<Vec<Running>>,
    /// Held while sources change: one change at a time.
    turning: Mutex<()>,
    ending: Stop,
}

impl Sources {
    /// No source yet.
    #[must_use]
    pub fn new(
        builder: Builder,
        (view, reception): (Arc<View>, Arc<Reception>),
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (running, turning) = (Mutex::default(), Mutex::default());
        Self { builder, view, reception, clock, running, turning, ending: Stop::new() }
    }

    /// Starts the sources of the gateway's start.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(&self, built: Vec<Built>) -> Result<(), ChangeError> {
        self.view.writes.set_desks(built.iter().filter_map(|one| one.desk.clone()).collect());
        self.tell_start();
        built.into_iter().try_for_each(|one| self.run(one))
    }

    /// Ends all sources, and names those that have not after `patience`.
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience;
        self.ending.raise();
        for one in self.locked().iter() {
            one.stop.raise();
        }
        // A change that is under way gives up, and has put back whoever has not ended.
        while self.turning.try_lock().is_err() && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        let all = std::mem::take(&mut *self.locked());
        for one in all {
            one.crew.join(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Lets these sources be the ones that are read. Blocks until sources that have changed have
    /// ended: an answer on its way is awaited.
    ///
    /// # Errors
    /// [`ChangeError`]; after [`ChangeError::Build`] nothing has changed, after
    /// [`ChangeError::Thread`] all but the source it names.
    pub fn turn_to(&self, specs: Vec<Spec>) -> Result<Changes, ChangeError> {
        let _turn = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = self.clock.now();
        let (fresh, kept) = self.sorted(specs);
        let places: BTreeSet<_> = fresh.iter().chain(&kept).map(owned_place).collect();
        let mut changes = Changes { kept: kept.len(), ..Changes::default() };
        let mut built = Vec::with_capacity(fresh.len());
        for spec in fresh {
            let label = spec.label();
            let one = self.builder.build(spec, |line| self.view.writes.desk(line));
            let one = one.map_err(|err| ChangeError::Build {
                label: label.clone(),
                problem: format!("{err:#}"),
            })?;
            let was_there = self.locked().iter().any(|old| old.spec.place() == one.spec.place());
            if was_there { &mut changes.changed } else { &mut changes.added }.push(label);
            built.push(one);
        }
        let kept: BTreeSet<_> = kept.iter().map(owned_place).collect();
        let gone = self.take_unless(|one| kept.contains(&owned_place(&one.spec)));
        let removed = gone.iter().filter(|one| !places.contains(&owned_place(&one.spec)));
        changes.removed = removed.map(|one| one.spec.label()).collect();
        self.open_desks(&built);
        self.announce(&built);
        let retired = self.retired(&gone, &built);
        for one in &gone {
            one.stop.raise();
        }
        // All of them: a new source may use the port of any of these.
        if let Err(ending) = gone.iter().try_for_each(|one| self.await_end(one)) {
            self.locked().extend(gone);
            return Err(ending);
        }
        let tables = tables_of(&built);
        // One that cannot be started does not keep the others from it.
        let started: Vec<_> = built.into_iter().map(|one| self.run(one)).collect();
        for device in &retired {
            self.reception.announce(device, &[]);
        }
        self.tell_turn(begun, &gone, &tables);
        started.into_iter().collect::<Result<(), _>>()?;
        Ok(changes)
    }

    /// Those that are new or have changed, and those that run already.
    fn sorted(&self, specs: Vec<Spec>) -> (Vec<Spec>, Vec<Spec>) {
        let running = self.locked();
        specs.into_iter().partition(|spec| !running.iter().any(|one| one.spec.is_as(spec)))
    }

    fn take_unless(&self, stays: impl Fn(&Running) -> bool) -> Vec<Running> {
        let mut running = self.locked();
        let (stay, gone) = std::mem::take(&mut *running).into_iter().partition(stays);
        *running = stay;
        gone
    }

    /// Commands for new lines wait for them; those of old ones are settled when these end.
    fn open_desks(&self, built: &[Built]) {
        let stay: Vec<_> = self.locked().iter().filter_map(|one| one.desk.clone()).collect();
        let new = built.iter().filter_map(|one| one.desk.clone());
        self.view.writes.set_desks(stay.into_iter().chain(new).collect());
    }

    /// Makes the tables of new sources known.
    fn announce(&self, built: &[Built]) {
        for one in built {
            let tables = self.reception.settled(&one.tables());
            self.view.catalog.add(&tables);
            let devices: BTreeSet<&str> = tables.iter().map(|table| table.device()).collect();
            for device in devices {
                let own: Vec<_> = tables.iter().filter(|t| t.device() == device).cloned().collect();
                self.reception.announce(device, &own);
            }
        }
    }

    /// Takes devices and lines that are read no longer from the view; the devices' names.
    fn retired(&self, gone: &[Running], built: &[Built]) -> Vec<String> {
        let without = |names: &dyn Fn(&Running) -> &Vec<String>, still: BTreeSet<String>| {
            let all = gone.iter().flat_map(names);
            all.filter(|name| !still.contains(*name)).cloned().collect::<Vec<_>>()
        };
        let devices = built.iter().flat_map(Built::health).map(|h| h.device.clone()).collect();
        let lines = built.iter().flat_map(Built::instruments).map(|i| i.name.clone()).collect();
        let tables = gone.iter().flat_map(|one| &one.tables).map(|table| table.name());
        let stay: Vec<_> = built.iter().flat_map(Built::tables).collect();
        let is_gone = |name: &&str| !stay.iter().any(|table| table.name() == *name);
        self.view.catalog.retire(&tables.filter(is_gone).collect::<Vec<_>>());
        let devices = without(&|one| &one.devices, devices);
        self.view.retire(&devices, &without(&|one| &one.lines, lines));
        devices
    }

    /// Waits until a source that was told to has ended, however long that takes.
    fn await_end(&self, old: &Running) -> Result<(), ChangeError> {
        let mut named = Instant::now();
        while !old.crew.has_ended() {
            if self.ending.wait(LOOK_EVERY) {
                return Err(ChangeError::Ending);
            }
            if named.elapsed() >= NAMED_EVERY {
                named = Instant::now();
                tracing::warn!(source = %old.spec.label(), "has not ended yet; its successor waits");
            }
        }
        Ok(())
    }

    /// Starts a source on a thread of its own.
    fn run(&self, built: Built) -> Result<(), ChangeError> {
        let Built { spec, desk, first } = built;
        let (label, name) = (spec.label(), first.name().to_owned());
        let tables = self.reception.settled(&first.tables());
        let (healths, instruments) = (first.health(), first.instruments());
        let devices = healths.iter().map(|health| health.device.clone()).collect();
        let lines = instruments.iter().map(|one| one.name.clone()).collect();
        self.view.replace_devices(healths);
        self.view.replace_instruments(instruments);
        let stop = Stop::new();
        let feed = Feed {
            intake: Arc::clone(&self.reception) as _,
            clock: Arc::clone(&self.clock),
            stop: stop.clone(),
        };
        let (view, builder) = (Arc::clone(&self.view), self.builder.clone());
        let (again, own_desk) = (spec.clone(), desk.clone());
        let mut first = Some(first);
        let (ended, reception) = (Ended::new(&self.clock), Arc::clone(&self.reception));
        let own_tables = tables.clone();
        let mut crew = Crew::new();
        let started = crew.keep_running(&name, &stop, move || {
            let adapter = first.take().map_or_else(
                || {
                    let adapter = builder.adapter(&again, own_desk.as_ref())?;
                    view.replace_devices(adapter.health());
                    view.replace_instruments(adapter.instruments());
                    Ok(adapter)
                },
                anyhow::Ok,
            );
            match adapter {
                Ok(adapter) => {
                    let _run = ended.begin(&reception, &own_tables);
                    adapter.run(feed.clone());
                }
                Err(err) => tracing::error!(%err, "adapter cannot be built again"),
            }
        });
        started.map_err(|err| ChangeError::Thread { label, problem: err.to_string() })?;
        let one = Running { spec, desk, tables, devices, lines, stop, crew };
        let mut running = self.locked();
        // The stop has told all there were: this one came too late for it.
        let is_late = self.ending.is_raised();
        if is_late {
            one.stop.raise();
        }
        running.push(one);
        if is_late { Err(ChangeError::Ending) } else { Ok(()) }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owned_place(spec: &Spec) -> (&'static str, String) {
    let (kind, name) = spec.place();
    (kind, name.to_owned())
}
