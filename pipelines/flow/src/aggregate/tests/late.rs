//! Windows of all kinds over rows that also come out of order, held against the definition.

use super::*;
use crate::window::{ABSOLUTE_ERROR, RELATIVE_ERROR};

/// Rows of both tables; now and then the clock is set back, once even by a minute.
fn disordered() -> impl Strategy<Value = Vec<(bool, Row)>> {
    let sample = prop_oneof![
        6 => (-1e3..1e3_f64).prop_map(Sample::Good),
        1 => (1e5..1.001e5_f64).prop_map(Sample::Uncertain),
        1 => Just(Sample::Bad),
        1 => Just(Sample::Absent),
    ];
    let step = prop_oneof![
        12 => 1_000..400_000_i64,
        2 => 400_000..9_000_000_i64,
        2 => -3_000_000..-1_000_i64,
        1 => -60_000_000..-3_000_000_i64,
    ];
    let row = (any::<bool>(), step, 0..2_u8, sample);
    prop::collection::vec(row, 1..120).prop_map(|rows| {
        let mut now = [1_000_000_000_i64; 2];
        let mut last = [0_i64; 2];
        rows.into_iter()
            .map(|(is_bus, step, sa, sample)| {
                let table = usize::from(is_bus);
                now[table] += step;
                // No two rows at one time: which of them is the last would be anybody's guess.
                now[table] += i64::from(now[table] == last[table]);
                last[table] = now[table];
                (is_bus, Row { micros: now[table], sa: if is_bus { sa } else { 0 }, sample })
            })
            .collect()
    })
}

/// Every row in a batch of its own: within a batch times always rise.
fn singles(rows: &[(bool, Row)]) -> Vec<Batch> {
    batches(rows, &[true])
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap()
}

/// Rows of one table in the order they came, each with the newest time up to it.
fn arrivals(rows: &[(bool, Row)], is_bus: bool) -> Vec<(Row, i64)> {
    let mut newest = i64::MIN;
    let of_table = rows.iter().filter(|(of, _)| *of == is_bus);
    of_table
        .map(|(_, row)| {
            newest = newest.max(row.micros);
            (*row, newest)
        })
        .collect()
}

/// Whether a row came while windows that end at `end` were open.
fn is_in_time((_, newest): &(Row, i64), end: i64, every: i64) -> bool {
    (newest - LATENESS_US).div_euclid(every) * every < end
}

fn value(row: &Row) -> Option<f64> {
    match row.sample {
        Sample::Good(value) | Sample::Uncertain(value) => Some(value),
        Sample::Bad | Sample::Absent => None,
    }
}

/// Events in the order of time: what the time-weighted mean is made of. One older than the newest
/// of its step before it weighs nothing.
fn events(
    rows: &[(Row, i64)],
    (from, start, end): (i64, i64, i64),
    every: i64,
) -> Vec<(i64, Option<f64>)> {
    let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
    let mut events = Vec::new();
    for arrival in rows.iter().filter(|(row, _)| row.sample != Sample::Absent) {
        let row = arrival.0;
        let step = row.micros.div_euclid(every) * every;
        // Steps before the window keep what came while any window that holds them was open.
        let counted_until = if row.micros < start { step + (end - start) } else { end };
        if !(from..end).contains(&row.micros) || !is_in_time(arrival, counted_until, every) {
            continue;
        }
        let last = newest.entry(step).or_insert(i64::MIN);
        if row.micros >= *last {
            *last = row.micros;
            events.push((row.micros, value(&row)));
        }
    }
    // Those of one step are in order; steps follow each other.
    events.sort_by_key(|(at, _)| *at);
    events
}

/// `flow` over one window, from the definition.
fn defined(rows: &[(Row, i64)], (start, end): (i64, i64), every: i64) -> (Summary, Vec<f64>) {
    let inside: Vec<&(Row, i64)> = rows
        .iter()
        .filter(|(row, _)| (start..end).contains(&row.micros))
        .filter(|arrival| is_in_time(arrival, end, every))
        .collect();
    let mut timed: Vec<(i64, f64)> =
        inside.iter().filter_map(|(row, _)| Some((row.micros, value(row)?))).collect();
    timed.sort_by_key(|(at, _)| *at);
    let values: Vec<f64> = timed.iter().map(|(_, value)| *value).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let some = |value: f64| (!values.is_empty()).then_some(value);
    let events = events(rows, (start - (end - start), start, end), every);
    let until = events.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let (mut area, mut covered) = (0.0, 0.0);
    for ((at, held), to) in events.iter().zip(until) {
        if let Some(held) = held.filter(|_| to > start) {
            let span = (to - (*at).max(start)) as f64;
            area += held * span;
            covered += span;
        }
    }
    let is_good = |(row, _): &&&(Row, i64)| matches!(row.sample, Sample::Good(_));
    let told = Summary {
        count: values.len() as u64,
        good: inside.iter().filter(is_good).count() as u64,
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        mean: some(mean),
        twa: (covered > 0.0).then(|| area / covered),
        first: values.first().copied(),
        last: values.last().copied(),
        stddev: some((values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()),
        ..Summary::default()
    };
    let mut sorted = values;
    sorted.sort_by(f64::total_cmp);
    (told, sorted)
}

fn is_close(left: Option<f64>, right: Option<f64>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * 1e5,
        (left, right) => left.is_none() && right.is_none(),
    }
}

/// The value of the rank that a share has.
fn of_rank(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let rank = (share * (sorted.len() as f64 - 1.0).max(0.0)) as usize;
    sorted.get(rank).copied()
}

proptest! {
    #[test]
    fn windows_of_every_kind_tell_what_the_definition_says_also_of_late_rows(rows in disordered()) {
        let arrivals = [arrivals(&rows, false), arrivals(&rows, true)];
        for ((name, start, shape, sa), signals) in aggregate_by(all_kinds(), &singles(&rows)) {
            let of_sender: Vec<(Row, i64)> = arrivals[usize::from(name == "bus")]
                .iter()
                .filter(|(row, _)| sa.is_none_or(|sa| sa == row.sa))
                .copied()
                .collect();
            let span = (start.micros(), start.micros() + micros(shape.length));
            let (wanted, sorted) = defined(&of_sender, span, micros(shape.every));
            let told = signals[0].1;
            let exact = |s: Summary| (s.count, s.good, s.min, s.max, s.first, s.last);
            prop_assert_eq!(exact(told), exact(wanted), "{:?} {:?}", span, shape);
            prop_assert!(is_close(told.mean, wanted.mean), "{:?} {:?}", told, wanted);
            prop_assert!(is_close(told.twa, wanted.twa), "{span:?} {shape:?} {:?} {:?}", told, wanted);
            prop_assert!(is_close(told.stddev, wanted.stddev), "{:?} {:?}", told, wanted);
            if shape.length == Duration::from_secs(1) {
                prop_assert_eq!(told.quantiles, Summary::default().quantiles, "not asked for");
                continue;
            }
            for (told, share) in told.quantiles.iter().zip([0.05, 0.5, 0.99]) {
                let exact = of_rank(&sorted, share);
                let is_within = told.zip(exact).is_none_or(|(told, exact)| {
                    (told - exact).abs() <= RELATIVE_ERROR * exact.abs() + ABSOLUTE_ERROR
                });
                prop_assert!(is_within && told.is_some() == exact.is_some(), "{told:?} {exact:?}");
            }
        }
    }

    #[test]
    fn every_window_of_every_kind_is_told_once_and_no_other(rows in disordered()) {
        let mut told = BTreeMap::new();
        for (identity, _) in aggregate_by(all_kinds(), &singles(&rows)) {
            *told.entry(identity).or_insert(0) += 1;
        }
        let mut wanted = BTreeMap::new();
        for is_bus in [false, true] {
            let arrivals = arrivals(&rows, is_bus);
            let Some((_, newest)) = arrivals.last().copied() else { continue };
            for shape in all_kinds().windows.iter().map(|of| of.shape) {
                let (length, every) = (micros(shape.length), micros(shape.every));
                let closed = (newest - LATENESS_US).div_euclid(every) * every;
                for arrival in &arrivals {
                    let step = arrival.0.micros.div_euclid(every) * every;
                    let starts = (0..length / every).map(|back| step - back * every);
                    for start in starts {
                        if start + length <= closed && is_in_time(arrival, start + length, every) {
                            let name = if is_bus { "bus" } else { "plain" };
                            let sa = is_bus.then_some(arrival.0.sa);
                            let start = Timestamp::from_micros(start);
                            wanted.insert((name.to_owned(), start, shape, sa), 1);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(told, wanted);
    }

    #[test]
    fn late_rows_are_counted_by_table_and_windows(rows in disordered()) {
        let mut aggregator = Aggregator::new(all_kinds());
        for (offset, batch) in (0..).map(Offset).zip(&singles(&rows)) {
            aggregator.apply(offset, batch);
        }
        let mut wanted = LateRows::new();
        for is_bus in [false, true] {
            for shape in all_kinds().windows.iter().map(|of| of.shape) {
                let every = micros(shape.every);
                let first_end = |row: &Row| row.micros.div_euclid(every) * every + every;
                let is_late = |arrival: &&(Row, i64)| {
                    !is_in_time(arrival, first_end(&arrival.0), every)
                };
                let late = arrivals(&rows, is_bus).iter().filter(is_late).count() as u64;
                if late > 0 {
                    let name = if is_bus { "bus" } else { "plain" };
                    wanted.insert((name.to_owned(), shape), late);
                }
            }
        }
        prop_assert_eq!(aggregator.late_rows(), &wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn restarts_among_rows_out_of_order_make_no_difference_to_windows_of_any_kind(
        rows in disordered(),
        cuts in prop::collection::vec(any::<bool>(), 1..20),
        stops in prop::collection::vec(any::<bool>(), 1..20),
        is_power_cut in any::<bool>(),
    ) {
        let stops = |fed: usize| stops[fed % stops.len()];
        check_restarts_by(&all_kinds(), &batches(&rows, &cuts), (stops, is_power_cut));
    }
}

#[test]
fn tumbling_windows_of_constant_values_have_no_deviation_however_they_are_joined() {
    let table = table("plain", false);
    let mut aggregator = Aggregator::new(all_kinds());
    let row = |i: i64| Row { micros: i * 100_000, sa: 0, sample: Sample::Good(1e9 + 0.1) };
    let closed: Vec<Closed> = (0..200)
        .flat_map(|i| aggregator.apply(Offset(i), &batch(&table, &[row(i.cast_signed())])))
        .collect();
    assert!(closed.len() > 30);
    assert!(closed.iter().all(|closed| closed.signals[0].1.stddev == Some(0.0)));
}

#[test]
fn panes_held_are_bounded_by_the_steps_of_a_window_and_its_lateness() {
    let table = table("plain", false);
    let hopping = AggregateSettings { windows: vec![windows(60, 1)], ..Default::default() };
    let mut aggregator = Aggregator::new(hopping);
    for i in 0..2_000_u64 {
        let row = Row { micros: i.cast_signed() * 500_000, sa: 0, sample: Sample::Good(1.0) };
        aggregator.apply(Offset(i), &batch(&table, &[row]));
        let span = &aggregator.sources["plain"].spans[0];
        assert!(span.panes() <= 62, "{} panes", span.panes());
    }
}
