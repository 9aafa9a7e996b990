//! What rules cost: `cargo run --release --example bench_rules -- RULES SIGNALS SECONDS`.
//!
//! Signals in tables of a hundred, one row a second; every rule looks at two signals of one table,
//! every tenth one also at a rate. Says how much processor time a second of them takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipelines_sql::rule::{Kind, Rule, RuleSignals, RuleText, Watch, Window};
use signals::{BatchBuilder, ClockState, Signal, Table, Timestamp, Value, ValueType};

const IN_TABLE: usize = 100;

struct Known(BTreeMap<String, Kind>);

impl RuleSignals for Known {
    fn kind(&self, path: &str) -> Option<Kind> {
        self.0.get(path).copied()
    }

    fn below(&self, prefix: &str) -> Vec<String> {
        let from = format!("{prefix}/");
        self.0
            .range(from.clone()..)
            .take_while(|(p, _)| p.starts_with(&from))
            .map(|(p, _)| p.clone())
            .collect()
    }

    fn windows(&self) -> Vec<Window> {
        Vec::new()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |otherwise| numbers.next().transpose().map(|given| given.unwrap_or(otherwise));
    let (rules, signals, seconds) = (next(1_000)?, next(10_000)?, next(60)?);
    let tables = signals.div_ceil(IN_TABLE);
    let mut known = BTreeMap::new();
    let mut made = Vec::with_capacity(tables);
    for table in 0..tables {
        let mut columns = Vec::with_capacity(IN_TABLE);
        for signal in 0..IN_TABLE {
            let path = format!("site/asset{table}/s{signal}");
            known.insert(path.clone(), Kind::Number);
            columns.push(Signal::new(path, format!("s{signal}"), ValueType::F64));
        }
        made.push(Table::of_signals(format!("asset{table}_1s"), "bench", false, columns)?);
    }
    let known = Known(known);
    let planned = Instant::now();
    let mut watches: Vec<Vec<Watch>> = (0..tables).map(|_| Vec::new()).collect();
    for rule in 0..rules {
        let (table, signal) = (rule % tables, rule % (IN_TABLE - 1));
        let rate = if rule.is_multiple_of(10) {
            format!(" OR rate(s{signal}) > 50")
        } else {
            String::new()
        };
        let sql = format!(
            "SELECT s{signal} FROM 'site/asset{table}' WHERE s{signal} > 90 AND s{} < 50{rate}",
            signal + 1
        );
        let text = RuleText { sql: &sql, clear: Some(&format!("s{signal} < 80")), suppress: None };
        let plan = Rule::plan(text, &known).map_err(|mistakes| format!("{mistakes:?}"))?;
        if let Some(of_table) = watches.get_mut(table) {
            of_table.push(Watch::new(Arc::new(plan), Duration::from_secs(30)));
        }
    }
    let planned = planned.elapsed();
    let (mut asked, mut met) = (0_u64, 0_u64);
    let mut spent = Duration::ZERO;
    for second in 0..seconds {
        for (index, (table, watches)) in made.iter().zip(&mut watches).enumerate() {
            let mut row = BatchBuilder::new(Arc::clone(table));
            let ts = i64::try_from(second * 1_000_000)?;
            row.begin(Timestamp::from_micros(ts), 0, ClockState::Synced);
            for signal in 0..IN_TABLE {
                let wave = (second * 7 + signal * 13 + index * 3) % 101;
                row.set(signal, Value::F64(f64::from(u8::try_from(wave)?)));
            }
            let Some(batch) = row.finish() else { continue };
            let began = Instant::now();
            for watch in watches {
                for moment in watch.feed(&batch)? {
                    asked += 1;
                    met += u64::from(moment.raise == Some(true));
                }
            }
            spent += began.elapsed();
        }
    }
    let per_second = spent.as_secs_f64() * 1e3 / f64::from(u32::try_from(seconds.max(1))?);
    let each = spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(asked.max(1))?);
    let told = format!(
        "{rules} rules over {signals} signals: planned in {:.2} s; {asked} asked, {met} met; \
         {per_second:.1} ms a second, {each:.2} µs each\n",
        planned.as_secs_f64()
    );
    std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes())?;
    Ok(())
}
