use proptest::prelude::*;

use std::time::Duration;

use super::{CostModel, Span, Terms, plan};
use crate::cases::{self, whole};
use crate::config::{Parity, Serial};

fn problem(case: &serde_json::Value) -> (Vec<Span>, Terms) {
    let span = |tag: &serde_json::Value| Span { start: whole(&tag[0]), count: whole(&tag[1]) };
    let mut holes: Vec<u16> = case["illegal_words"].as_array().unwrap().iter().map(whole).collect();
    holes.sort_unstable();
    let terms = Terms {
        request_cost: case["cost_request_us"].as_u64().unwrap(),
        word_cost: case["cost_word_us"].as_u64().unwrap(),
        count_max: whole(&case["max_words"]),
        holes,
    };
    (case["tags"].as_array().unwrap().iter().map(span).collect(), terms)
}

fn cost(reads: &[Span], terms: &Terms) -> u64 {
    reads.iter().map(|read| terms.cost(*read)).sum()
}

fn check(atoms: &[Span], terms: &Terms) -> Vec<Span> {
    let reads = plan(atoms, terms);
    for atom in atoms {
        let inside = |read: &&Span| read.start <= atom.start && atom.end() <= read.end();
        assert!(reads.iter().any(|read| inside(&read)), "{atom:?} is read whole");
    }
    for read in &reads {
        let alone = atoms.contains(read);
        let touches = |hole: &&u16| read.start <= **hole && u32::from(**hole) < read.end();
        assert!(alone || !terms.holes.iter().any(|hole| touches(&hole)), "{read:?} avoids holes");
        assert!(alone || read.count <= terms.count_max, "{read:?} is short enough");
    }
    reads
}

#[test]
fn every_planner_case_reaches_the_optimum_without_touching_a_hole() {
    let mut count = 0;
    for (file, document) in cases::documents("modbus-planner-cases/1") {
        for case in document["cases"].as_array().unwrap() {
            let (atoms, terms) = problem(case);
            let reads = check(&atoms, &terms);
            let optimum = case["optimal_cost_us"].as_u64().unwrap();
            assert_eq!(cost(&reads, &terms), optimum, "case {count} of {}", file.display());
            count += 1;
        }
    }
    println!("{count} planner cases");
}

#[test]
fn ten_thousand_tags_are_planned_while_nobody_notices() {
    let terms = Terms { request_cost: 1000, word_cost: 4, count_max: 125, holes: vec![30_000] };
    let atoms: Vec<Span> = (0..10_000_u16)
        .map(|tag| Span { start: tag * 6 + tag % 3, count: [1, 2, 4][usize::from(tag % 3)] })
        .collect();
    let started = std::time::Instant::now();
    let reads = plan(&atoms, &terms);
    println!("10,000 tags in {} reads, planned in {:?}", reads.len(), started.elapsed());
    check(&atoms, &terms);
    let all: Vec<Span> = (0..=u16::MAX).map(|start| Span { start, count: 1 }).collect();
    let coils = Terms { count_max: 2000, holes: Vec::new(), ..terms };
    let started = std::time::Instant::now();
    assert_eq!(plan(&all, &coils).len(), 33);
    println!("65,536 coils planned in {:?}", started.elapsed());
}

#[test]
fn an_atom_that_no_legal_read_can_hold_is_read_alone_and_takes_nobody_with_it() {
    let terms = Terms { request_cost: 1000, word_cost: 1, count_max: 10, holes: vec![5] };
    let span = |start, count| Span { start, count };
    let reads = plan(&[span(4, 4), span(6, 1), span(20, 11), span(20, 2), span(0, 2)], &terms);
    assert_eq!(reads, [span(0, 2), span(4, 4), span(6, 1), span(20, 2), span(20, 11)]);
}

/// Least cost by trying every partition of the sorted atoms into any sets of reads.
fn least_cost(atoms: &[Span], terms: &Terms) -> u64 {
    let starts: Vec<u16> = atoms.iter().map(|atom| atom.start).collect();
    let ends: Vec<u32> = atoms.iter().map(|atom| atom.end()).collect();
    let mut candidates = Vec::new();
    for start in &starts {
        for end in ends.iter().filter(|end| **end > u32::from(*start)) {
            let read =
                Span { start: *start, count: u16::try_from(end - u32::from(*start)).unwrap() };
            let free = terms.holes.iter().all(|h| u32::from(*h) >= read.end() || *h < read.start);
            if atoms.contains(&read) || (free && read.count <= terms.count_max) {
                candidates.push(read);
            }
        }
    }
    cheapest_cover(atoms, &candidates, terms)
}

fn cheapest_cover(atoms: &[Span], candidates: &[Span], terms: &Terms) -> u64 {
    let Some((atom, others)) = atoms.split_first() else { return 0 };
    let covers = |read: &Span, atom: &Span| read.start <= atom.start && atom.end() <= read.end();
    candidates
        .iter()
        .filter(|read| covers(read, atom))
        .map(|read| {
            let left: Vec<Span> = others.iter().filter(|a| !covers(read, a)).copied().collect();
            terms.cost(*read) + cheapest_cover(&left, candidates, terms)
        })
        .min()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_other_set_of_reads_is_cheaper(
        atoms in prop::collection::vec((0..40_u16, 1..6_u16), 1..7),
        holes in prop::collection::btree_set(0..45_u16, 0..4),
        request_cost in 1..40_u64,
        count_max in 5..20_u16,
    ) {
        let atoms: Vec<Span> =
            atoms.into_iter().map(|(start, count)| Span { start, count }).collect();
        let wanted = |hole: &u16| {
            atoms.iter().any(|atom| atom.start <= *hole && u32::from(*hole) < atom.end())
        };
        let holes = holes.into_iter().filter(|hole| !wanted(hole)).collect();
        let terms = Terms { request_cost, word_cost: 2, count_max, holes };
        let reads = check(&atoms, &terms);
        prop_assert!(cost(&reads, &terms) <= least_cost(&atoms, &terms));
    }
}

#[test]
fn a_serial_line_costs_its_characters_its_turnaround_and_two_silences() {
    let turnaround = Duration::from_millis(4);
    let serial = |baud| Serial { baud, ..Serial::default() };
    // Polls a second at 8E1 and a turnaround of 4 ms, for 1, 10, 50 and 125 registers.
    let check = |baud, rates: [f64; 4]| {
        let cost = CostModel::serial(&serial(baud), turnaround);
        for (count, rate) in [1, 10, 50, 125].into_iter().zip(rates) {
            let got = 1.0 / cost.time(false, count).as_secs_f64();
            assert!((got - rate).abs() <= rate * 0.02, "{count} at {baud}: {got} for {rate}");
        }
    };
    check(9_600, [34.2, 20.0, 7.05, 3.19]);
    check(19_200, [60.2, 37.2, 13.7, 6.3]);
    check(38_400, [84.6, 59.0, 25.1, 12.1]);
    check(115_200, [112.0, 94.0, 55.0, 30.7]);
    let short = Serial { parity: Parity::None, ..serial(9_600) };
    assert!(CostModel::serial(&short, turnaround).register < 2_100_000, "10 bits a character");
    assert_eq!(CostModel::serial(&serial(9_600), turnaround).bit * 16, 2_291_664, "8 in a byte");
}

#[test]
fn a_pause_that_is_longer_than_the_silence_is_paid_by_every_request() {
    let cost = CostModel::network(Duration::from_millis(1));
    let paused = cost.with_gap(Duration::from_millis(5), Duration::from_millis(2));
    assert_eq!(paused.request, 4_000_000);
    assert_eq!(cost.with_gap(Duration::ZERO, Duration::from_millis(2)), cost);
}
