//! The rooms of a gateway, each built from its part of the configuration: journal, lake,
//! detectors, and the lock that keeps a second gateway out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use pipelines_flow::aggregate::{Aggregate, AggregateSettings};
use pipelines_flow::codec::BatchCodec;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::forward::Forward;
use pipelines_flow::gap_log::GapLog;
use pipelines_flow::historian::{Budget, Historian, HistorianOptions};
use pipelines_flow::lake::Sealed;
use pipelines_flow::log::{JOURNAL_PART, Recovery};
use pipelines_flow::system::SystemRows;
use pipelines_flow::tables::TableStore;
use pipelines_flow::{Log, LogOptions};
use pipelines_upload::Upload;
use signals::{Batch, Clock, Disk, Offset, Table, event};

use super::mail;
use crate::access::Access;
use crate::config::Config;
use crate::detection::Detection;
use crate::registration;
use crate::rules::Rules;
use crate::secret;
use crate::view::{UploadView, View};
use crate::writes::Writes;

/// Room left free on a large volume when nothing else is said: the journal, the logs and an update
/// go on.
const FREE_MIN_MOST: u64 = 512 << 20;

/// The journal, recovered, with the cursors of all consumers in place, and its table definitions.
pub(super) fn open_journal(
    config: &Config,
    (data, sealed): (&Path, &Sealed),
    disk: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Log<Batch>, Recovery, Arc<TableStore>)> {
    let store = Arc::new(TableStore::open(&data.join("tables"), Arc::clone(disk))?);
    let options = LogOptions {
        sync_interval: config.journal.sync_interval,
        sync_bytes: usize::try_from(config.journal.sync_bytes).unwrap_or(usize::MAX),
        next_min: next_behind(sealed),
        segment_bytes: config.journal.segment_bytes,
        bytes_max: config.journal.bytes_max,
        ..LogOptions::new(data.join("journal"))
    }
    .within(disk.room(data).map_or(u64::MAX, |room| room.total), JOURNAL_PART);
    let codec = Arc::new(BatchCodec::new(Arc::clone(&store)));
    let (journal, recovery) = Log::open(options, Arc::clone(disk), Arc::clone(clock), codec)?;
    registration::tell_recovery(&recovery);
    hold_for_consumers(&journal, config);
    Ok((journal, recovery, store))
}

/// Brings back the definitions of tables that this configuration has: where one was damaged, the
/// journal's records of that table can be read again before anybody reads on.
pub(super) fn keep_definitions<'a>(
    store: &TableStore,
    tables: impl IntoIterator<Item = &'a Arc<Table>>,
) {
    let system = [SystemRows::quality(), SystemRows::gaps(), SystemRows::signals()];
    let system = system.iter().map(SystemRows::table).map(Arc::clone);
    let all = tables.into_iter().map(Arc::clone).chain(system).chain([event::events_table()]);
    for table in all {
        // On a full disk: it is tried again with the table's next record.
        if let Err(err) = store.hash_of(&table) {
            tracing::warn!(table = table.name(), %err, "table definition not written");
        }
    }
}

/// The upload of the lake's files, where the configuration asks for one.
pub(super) fn upload(
    config: &Config,
    (data, disk, events): (&Path, &Arc<dyn Disk>, &EventLog),
    (clock, historian): (&Arc<dyn Clock>, &Historian),
) -> anyhow::Result<Option<Upload>> {
    let Some(settings) = &config.upload else { return Ok(None) };
    let settings = secret::upload_settings(&config.gateway.id, settings)?;
    let upload = Upload::new(settings, data, Arc::clone(disk), Arc::clone(clock));
    Ok(Some(upload.telling(events.clone()).marking(historian.copied())))
}

/// Its readable side.
pub(super) fn upload_view(upload: &Upload) -> UploadView {
    UploadView { place: upload.place(), counts: upload.counts() }
}

pub(super) fn open_lake(
    config: &Config,
    (lake, sealed): (&Path, Sealed),
    gaps: &GapLog,
    disk: &Arc<dyn Disk>,
) -> Historian {
    let free_min = match config.lake.free_min {
        Some(bytes) => bytes,
        None => disk.room(lake).map_or(0, |room| (room.total / 10).min(FREE_MIN_MOST)),
    };
    let options = HistorianOptions {
        budget: Budget { bytes_max: config.lake.bytes_max, free_min },
        roll_interval: config.lake.roll_interval,
        thin_interval: config.lake.thin_interval,
        profile: config.lake.profile,
        roll_rows: usize::try_from(config.lake.roll_rows).unwrap_or(usize::MAX),
        ..HistorianOptions::new(lake, &config.gateway.id)
    };
    Historian::resume(gaps.clone(), Arc::clone(disk), options, sealed)
}

/// Names every consumer's cursor before anything is written: segments are freed behind the
/// slowest cursor known, so one that is not known yet must not exist.
fn hold_for_consumers(journal: &Log<Batch>, config: &Config) {
    let mut names = ["historian", "aggregate", "rules"].map(str::to_owned).to_vec();
    if !config.uplinks.is_empty() {
        names.extend(mail::streams(config).iter().flat_map(|stream| Forward::cursors(*stream)));
    }
    names.extend(config.detectors.iter().map(|detector| format!("detector-{}", detector.name)));
    for name in names {
        let _cursor = journal.cursor(&name);
    }
}

/// The folder of the lake, and what is in it by the names there; what a killed gateway has left unfinished is gone
/// afterwards.
pub(super) fn survey(data: &Path, disk: &dyn Disk) -> anyhow::Result<(PathBuf, Sealed)> {
    let lake = data.join("lake");
    let sealed = pipelines_flow::lake::survey(disk, &lake).with_context(|| {
        format!("{}: the lake cannot be listed; check the disk", lake.display())
    })?;
    Ok((lake, sealed))
}

/// The first offset a journal may give out beside this lake: offsets name what is in it, so a
/// journal that was deleted alone must not begin at 0 again.
fn next_behind(sealed: &Sealed) -> Offset {
    sealed.values().max().map_or(Offset::START, |seq| seq.next())
}

pub(super) fn aggregate(config: &Config, view: &View) -> Aggregate {
    let windows = config.aggregates.clone();
    let settings = AggregateSettings { windows, ..AggregateSettings::default() };
    Aggregate { journal: view.journal.clone(), settings, vitals: Arc::clone(&view.aggregates) }
}

/// Keeps a second gateway out of the same folder.
pub(super) fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::create_dir_all(data)
        .with_context(|| format!("{}: cannot be made; check the path", data.display()))?;
    let path = data.join("lock");
    let file = std::fs::File::create(&path)
        .with_context(|| format!("{}: cannot be written; check permissions", path.display()))?;
    file.try_lock().map_err(|_| {
        anyhow::anyhow!(
            "{}: another gateway is using this folder; stop it, or give --data another one",
            data.display()
        )
    })?;
    Ok(file)
}

/// Who may do what.
pub(super) fn access(
    config: &Config,
    (data, writes): (&Path, &Writes),
    clock: &Arc<dyn Clock>,
) -> Arc<Access> {
    let recorded = (Arc::clone(&writes.audit), Arc::clone(clock));
    let access = Access::new(&config.gateway.id, data, config.web.reading, recorded);
    access.open();
    Arc::new(access)
}

/// The rules; there may be none yet.
pub(super) fn rules(
    config: &Config,
    journal: &Log<Batch>,
    (data, disk, events): (&Path, &Arc<dyn Disk>, &EventLog),
    clock: &Arc<dyn Clock>,
) -> Rules {
    let rooms = (journal.clone(), events.clone());
    let kept = (data.to_owned(), Arc::clone(disk));
    Rules::new(config.rules.clone(), rooms, Arc::clone(clock), kept)
}

pub(super) fn detections(
    config: &Config,
    tables: &[Arc<Table>],
    journal: &Log<Batch>,
    (data, disk, events): (&Path, &Arc<dyn Disk>, &EventLog),
) -> anyhow::Result<Vec<Detection>> {
    let build = |settings: &crate::config::DetectorSettings| {
        let family = models::Family::from_name(&settings.family)
            .with_context(|| format!("family `{}` is not known", settings.family))?;
        let settings = models::DetectorSettings {
            name: settings.name.clone(),
            family,
            signals: settings.signals.clone(),
            budget_per_week: settings.budget_per_week,
            period: settings.every,
        };
        let rooms = (journal.clone(), events.clone());
        let stored = (data.join("models"), Arc::clone(disk));
        Ok(Detection::new(settings, tables.to_vec(), rooms, stored)?)
    };
    config.detectors.iter().map(build).collect()
}
