//! Diagnostic trouble codes: DM1 of SAE J1939-73 as a table, one row per active code.

use std::sync::Arc;

use signals::{
    Batch, BatchBuilder, Signal, Table, TableError, Timestamp, Value, ValueType, column_name,
};

use crate::decode::Origin;
use crate::tables::Naming;

/// Parameter group of DM1, the active codes of a sender.
pub const DM1: u32 = 0xFECA;

/// One active code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TroubleCode {
    /// Suspect parameter number, 19 bits.
    pub spn: u32,
    /// Failure mode identifier, 0..=31.
    pub fmi: u8,
    /// Times it occurred, 0..=126; 127 when the sender does not count.
    pub occurrences: u8,
    /// Conversion method bit: 0 for the layout that is read here; 1 for older ones, whose
    /// suspect parameter number cannot be told for certain.
    pub old_layout: bool,
}

/// The lamps: malfunction indicator, red stop, amber warning, protect; 0 off, 1 on, 2 and 3 as
/// the sender means them.
pub type Lamps = [u8; 4];

/// Names of the columns that hold [`Lamps`].
const LAMPS: [&str; 4] =
    ["malfunction_lamp", "red_stop_lamp", "amber_warning_lamp", "protect_lamp"];

/// Lamps and codes of a DM1 message; `None` when it is too short to be one.
///
/// A code of SPN 0 and FMI 0 says that there is none (SAE J1939-73, clause 5.7.1).
#[must_use]
pub fn read_dm1(payload: &[u8]) -> Option<(Lamps, Vec<TroubleCode>)> {
    let &[lamps, _flash, ref codes @ ..] = payload else { return None };
    let code = |bytes: &[u8]| {
        let &[low, middle, high, count] = bytes else { return None };
        let spn = u32::from(low) | u32::from(middle) << 8 | u32::from(high >> 5) << 16;
        let fmi = high & 31;
        let real = (spn, fmi) != (0, 0) && bytes != [0xFF; 4];
        let (occurrences, old_layout) = (count & 0x7F, count >> 7 == 1);
        real.then_some(TroubleCode { spn, fmi, occurrences, old_layout })
    };
    let lamps = [6, 4, 2, 0].map(|shift| lamps >> shift & 3);
    Some((lamps, codes.chunks_exact(4).filter_map(code).collect()))
}

/// Rows of active codes of one bus.
pub(crate) struct FaultLane {
    table: Arc<Table>,
    builder: BatchBuilder,
    last: Option<Timestamp>,
}

impl FaultLane {
    /// The table `<bus>_dm1_codes`.
    pub(crate) fn new(naming: &Naming) -> Result<Self, TableError> {
        let signal = |column: &str, kind| Signal {
            source: format!("DM1.{column}"),
            ..Signal::new(format!("{}/dm1_codes/{column}", naming.path), column, kind)
        };
        let mut signals: Vec<Signal> =
            LAMPS.iter().map(|lamp| signal(lamp, ValueType::U8)).collect();
        signals.push(signal("spn", ValueType::U32));
        signals.push(signal("fmi", ValueType::U8));
        signals.push(signal("occurrences", ValueType::U8));
        let name = format!("{}_dm1_codes", column_name(&naming.bus));
        let table = Table::of_signals(name, &naming.bus, true, signals)?;
        let builder = BatchBuilder::new(Arc::clone(&table));
        Ok(Self { table, builder, last: None })
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// One row per code; without codes one row whose code is null.
    pub(crate) fn push(&mut self, payload: &[u8], origin: Origin) {
        let Some((lamps, codes)) = read_dm1(payload) else { return };
        let none = codes.is_empty().then_some(None);
        for code in codes.into_iter().map(Some).chain(none) {
            let after = |last: Timestamp| Timestamp::from_micros(last.micros().saturating_add(1));
            let ts = self.last.map_or(origin.ts, |last| origin.ts.max(after(last)));
            self.last = Some(ts);
            self.builder.begin(ts, origin.source, origin.clock);
            for (place, lamp) in lamps.into_iter().enumerate() {
                self.builder.set(place, Value::U64(lamp.into()));
            }
            let Some(code) = code else { continue };
            self.builder.set(LAMPS.len(), Value::U64(code.spn.into()));
            self.builder.set(LAMPS.len() + 1, Value::U64(code.fmi.into()));
            if code.occurrences < 127 {
                self.builder.set(LAMPS.len() + 2, Value::U64(code.occurrences.into()));
            }
        }
    }

    pub(crate) fn finish(&mut self) -> Option<Batch> {
        self.builder.finish()
    }

    /// What follows may be earlier.
    pub(crate) fn forget_times(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests;
