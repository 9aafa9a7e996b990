//! Tags of a configured device, read once as the gateway reads them.

use std::path::Path;

use adapters_modbus::config::{Device, Line};
use adapters_modbus::probe::{Block, Patience, Session, SessionError, columns};
use adapters_modbus::scan::{Read, Scan, Stamp};
use adapters_modbus::wire::Fault;
use anyhow::bail;
use arrow_array::Array as _;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use serde_json::Value;
use signals::{BatchBuilder, ClockState, Quality, Reason, Timestamp, ValueType, column_name};

use super::ask;
use crate::cli::exit::UsageError;
use crate::cli::run::ConfigError;
use crate::config;

/// Reads `DEVICE` or `DEVICE.TAG` of a configuration.
///
/// # Errors
/// What is wrong or did not answer, as a sentence that says what to do.
pub(super) async fn read(
    path: &Path,
    name: &str,
    (patience, as_json): (Patience, bool),
) -> anyhow::Result<String> {
    let config = config::load(path).map_err(ConfigError)?;
    let (line, device, tag) = find(&config.lines, name)?;
    let mut session = Session::new(line.transport.clone(), patience);
    let title = format!("{} on {} unit {}\n\n", device.name, line.transport, device.unit);
    let mut rows = Vec::new();
    let mut detail = String::new();
    for scan in &device.scans {
        let wanted = tag.map(|tag| place_of(scan, tag));
        if wanted == Some(None) {
            continue;
        }
        let wanted = wanted.flatten();
        let answers = answers(&mut session, device.unit, (scan, wanted)).await?;
        rows.extend(tags(scan, &answers, wanted)?);
        if let Some(place) = wanted {
            detail = registers(scan, &answers, place);
        }
    }
    if as_json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut table = vec![["tag", "value", "unit", "quality", "from"].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(Row::cells));
    Ok(title + &columns(&table) + &detail)
}

/// A tag as it was read.
#[derive(Debug, Serialize)]
struct Row {
    tag: String,
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    unit: Option<String>,
    quality: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    from: String,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let value = match &self.value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.value.to_string()
            }
        };
        let label = self.label.as_ref().map_or(String::new(), |label| format!(" ({label})"));
        vec![
            self.tag.clone(),
            value + &label,
            self.unit.clone().unwrap_or_default(),
            format!("{} {}", self.quality, self.reason).trim_end().to_owned(),
            self.from.clone(),
        ]
    }
}

/// The device of that name, and the tag's name if one was given.
fn find<'a, 'n>(
    lines: &'a [Line],
    name: &'n str,
) -> anyhow::Result<(&'a Line, &'a Device, Option<&'n str>)> {
    let all =
        || lines.iter().flat_map(|line| line.devices.iter().map(move |device| (line, device)));
    let rest_of = |device: &Device| match name.strip_prefix(&device.name)? {
        "" => Some(None),
        rest => rest.strip_prefix('.').map(Some),
    };
    // The longest name that fits: a device's name may have dots in it.
    let fitting = all().filter_map(|(line, device)| Some((line, device, rest_of(device)?)));
    let Some((line, device, tag)) = fitting.max_by_key(|(_, device, _)| device.name.len()) else {
        let names: Vec<&str> = all().map(|(_, device)| device.name.as_str()).collect();
        bail!(UsageError(format!("there is no device \"{name}\"; there are {}", names.join(", "))));
    };
    if let Some(tag) = tag
        && !device.scans.iter().any(|scan| place_of(scan, tag).is_some())
    {
        let columns = device.scans.iter().flat_map(|scan| scan.table().signals());
        let nearest = columns.map(|signal| signal.column);
        let likeness = |column: &str| strsim::jaro_winkler(column, &column_name(tag));
        let nearest = nearest.max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        let nearest = nearest.unwrap_or_default();
        bail!(UsageError(format!("{} has no tag \"{tag}\"; did you mean {nearest}?", device.name)));
    }
    Ok((line, device, tag))
}

/// The place of a tag in a scan, by its name or its column.
fn place_of(scan: &Scan, tag: &str) -> Option<usize> {
    let column = column_name(tag);
    scan.table().signals().iter().position(|signal| signal.column == column)
}

/// Asks for the reads of a scan, or for those only that a tag needs.
async fn answers(
    session: &mut Session,
    unit: u8,
    (scan, wanted): (&Scan, Option<usize>),
) -> anyhow::Result<Vec<(Read, Result<Vec<u16>, Reason>)>> {
    let mut answers = Vec::new();
    for read in scan.reads() {
        if wanted.is_some_and(|place| !holds(scan, place, *read)) {
            continue;
        }
        let answer = match ask(session, unit, *read).await {
            Ok(words) => Ok(words),
            Err(err) => match err.downcast_ref::<SessionError>().and_then(SessionError::fault) {
                Some(fault @ Fault::Exception(_)) => Err(fault.reason()),
                Some(_) | None => return Err(err),
            },
        };
        answers.push((*read, answer));
    }
    Ok(answers)
}

fn holds(scan: &Scan, place: usize, read: Read) -> bool {
    scan.points().get(place).is_some_and(|point| {
        let first = u32::from(read.start);
        let wanted = u32::from(point.address.offset);
        read.area == point.address.area && (first..first + u32::from(read.count)).contains(&wanted)
    })
}

/// One row of the scan's table, a line for each tag.
fn tags(
    scan: &Scan,
    answers: &[(Read, Result<Vec<u16>, Reason>)],
    wanted: Option<usize>,
) -> anyhow::Result<Vec<Row>> {
    let mut builder = BatchBuilder::new(std::sync::Arc::clone(scan.table()));
    let stamp = Stamp {
        ts: Timestamp::from_micros(0),
        error: std::time::Duration::ZERO,
        clock: ClockState::Unsynced,
    };
    scan.row_from(stamp, &mut builder, |read| {
        let answer = answers.iter().find(|(asked, _)| *asked == read);
        answer.map_or(Err(Reason::WaitingFirst), |(_, answer)| answer.clone())
    });
    let Some(batch) = builder.finish() else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for (place, signal) in scan.table().signals().iter().enumerate() {
        if wanted.is_some_and(|wanted| wanted != place) {
            continue;
        }
        let flaw = batch.flaws.iter().find(|flaw| usize::from(flaw.signal) == place);
        let quality = flaw.map_or(Quality::GOOD, |flaw| flaw.quality);
        let column = batch.column(place);
        let options = FormatOptions::default();
        let text = ArrayFormatter::try_new(column, &options)?.value(0).to_string();
        let value = if column.is_null(0) {
            Value::Null
        } else if signal.kind == ValueType::Text {
            Value::String(text)
        } else {
            // The text of a number or a truth value is JSON; what is not stays text.
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        let label = value.as_i64().and_then(|raw| signal.labels.get(&raw)).cloned();
        rows.push(Row {
            tag: signal.path.rsplit('/').next().unwrap_or_default().to_owned(),
            value,
            label,
            unit: signal.unit.map(str::to_owned),
            quality: quality.class.as_str(),
            reason: quality.reason.to_string(),
            from: signal.source.to_owned(),
        });
    }
    Ok(rows)
}

/// The registers of one tag under every decoding.
fn registers(scan: &Scan, answers: &[(Read, Result<Vec<u16>, Reason>)], place: usize) -> String {
    let Some(point) = scan.points().get(place) else { return String::new() };
    let words = answers.iter().find_map(|(read, answer)| {
        let first = usize::from(point.address.offset.checked_sub(read.start)?);
        let words = answer.as_ref().ok()?;
        let found = words.get(first..first + usize::from(point.format.words()))?;
        (read.area == point.address.area).then_some(found)
    });
    words.map_or_else(String::new, |words| {
        format!("\n{}", Block { start: point.address, words }.show())
    })
}
