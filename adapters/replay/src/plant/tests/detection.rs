//! Whether the pump's faults can be told from its normal life by the detector that the demo
//! uses: an exponentially weighted mean of standardised signals and its Mahalanobis distance.

use super::*;

/// The signals of the demo's detector.
pub(super) const SIGNALS: [&str; 9] = [
    "plant/pump/speed_actual",
    "plant/pump/valve_position",
    "plant/pump/motor_current",
    "plant/pump/power",
    "plant/pump/suction_pressure",
    "plant/pump/discharge_pressure",
    "plant/pump/flow",
    "plant/pump/bearing_temp",
    "plant/pump/vibration",
];
const N: usize = SIGNALS.len();
/// Share of the way the centre goes towards each row.
const ADAPT: f64 = 1.0 / 300.0;
type Row = [f64; N];
type Matrix = [[f64; N]; N];

fn rows(plant: &mut Plant, span: u64) -> Vec<Row> {
    let start = plant.now();
    (1..=span)
        .map(|second| {
            plant.advance_to(start.plus(seconds(second)));
            SIGNALS.map(|path| plant.value(path).unwrap())
        })
        .collect()
}

fn inverse(mut left: Matrix) -> Matrix {
    let mut right = [[0.0; N]; N];
    (0..N).for_each(|i| right[i][i] = 1.0);
    for pivot in 0..N {
        let scale = 1.0 / left[pivot][pivot];
        left[pivot].iter_mut().chain(&mut right[pivot]).for_each(|x| *x *= scale);
        let (lead, reply) = (left[pivot], right[pivot]);
        for other in (0..N).filter(|&other| other != pivot) {
            let factor = left[other][pivot];
            (0..N).for_each(|k| left[other][k] -= factor * lead[k]);
            (0..N).for_each(|k| right[other][k] -= factor * reply[k]);
        }
    }
    right
}

/// A small MEWMA: fitted on rows, centre adapting with 1/300 while the distance is below `limit`.
#[derive(Clone)]
struct Mewma {
    centre: Row,
    scale: Row,
    smooth: Row,
    precision: Matrix,
    lambda: f64,
    limit: f64,
}

impl Mewma {
    /// Fitted on `rows`, with the covariance that their smoothed values really had: rows of a
    /// plant are not independent of each other.
    fn fit(rows: &[Row], lambda: f64) -> Self {
        let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<_>>();
        let centre = std::array::from_fn(|i| mean(&column(i)));
        let scale = std::array::from_fn(|i| deviation(&column(i)));
        let mut fitted = Self {
            centre,
            scale,
            smooth: [0.0; N],
            precision: [[0.0; N]; N],
            lambda,
            limit: f64::INFINITY,
        };
        let mut smooth = [0.0; N];
        let mut covariance = [[0.0; N]; N];
        for row in rows {
            for i in 0..N {
                let z = (row[i] - fitted.centre[i]) / scale[i];
                smooth[i] += lambda * (z - smooth[i]);
                fitted.centre[i] += ADAPT * (row[i] - fitted.centre[i]);
            }
            for (i, line) in covariance.iter_mut().enumerate() {
                for (j, cell) in line.iter_mut().enumerate() {
                    *cell += smooth[i] * smooth[j] / count(rows.len());
                }
            }
        }
        for (i, line) in covariance.iter_mut().enumerate() {
            line[i] *= 1.02;
        }
        fitted.precision = inverse(covariance);
        fitted
    }

    /// Distance, and the contribution of each signal to it.
    fn score(&mut self, row: &Row) -> (f64, Row) {
        for (i, value) in row.iter().enumerate() {
            let z = (value - self.centre[i]) / self.scale[i];
            self.smooth[i] += self.lambda * (z.clamp(-30.0, 30.0) - self.smooth[i]);
        }
        let pull = |i: usize| (0..N).map(|j| self.precision[i][j] * self.smooth[j]).sum::<f64>();
        let parts: Row = std::array::from_fn(|i| self.smooth[i] * pull(i));
        let distance = parts.iter().sum();
        if distance < self.limit {
            for (centre, value) in self.centre.iter_mut().zip(row) {
                *centre += ADAPT * (value - *centre);
            }
        }
        (distance, parts)
    }
}

fn top(parts: &Row) -> Vec<&'static str> {
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|&a, &b| parts[b].total_cmp(&parts[a]));
    order.iter().take(3).map(|&i| SIGNALS[i].rsplit('/').next().unwrap()).collect()
}

/// A detector fitted on 20 minutes and calibrated on the 10 minutes after them: its limit is
/// twice the greatest distance seen there. The plant stands at 30 minutes.
fn fitted(seed: u64, lambda: f64) -> (Plant, Mewma) {
    let mut plant = Plant::new(seed, START);
    let mut mewma = Mewma::fit(&rows(&mut plant, 1200), lambda);
    let calm = rows(&mut plant, 600);
    let most = calm.iter().map(|row| mewma.score(row).0).fold(0.0, f64::max);
    mewma.limit = 2.0 * most;
    (plant, mewma)
}

/// Times the limit is passed upwards after at least a minute below it, and the greatest
/// distance as a share of the limit.
fn false_episodes(distances: &[f64], limit: f64) -> (usize, f64) {
    let mut last = None;
    let mut episodes = 0;
    for (second, _) in distances.iter().enumerate().filter(|(_, distance)| **distance > limit) {
        episodes += usize::from(last.is_none_or(|before| second - before > 60));
        last = Some(second);
    }
    (episodes, distances.iter().copied().fold(0.0, f64::max) / limit)
}

/// Seconds from onset to the limit, the three signals that make up the distance in the minute
/// after that, and the greatest distance as a share of the limit.
fn alarm(plant: &Plant, mewma: &Mewma, kind: FaultKind) -> Option<(usize, Vec<&'static str>, f64)> {
    let (mut plant, mut mewma) = (plant.clone(), mewma.clone());
    let fault = Fault::new(kind, plant.now().plus(seconds(60)), seconds(120));
    plant.schedule = Schedule::at(vec![fault]);
    let scores: Vec<_> = rows(&mut plant, 180).iter().map(|row| mewma.score(row)).collect();
    let during = &scores[60..];
    let delay = during.iter().position(|(distance, _)| *distance > mewma.limit)?;
    let episode = || during.iter().skip(delay).take(60);
    let share = |i: usize| episode().map(|(distance, parts)| parts[i] / distance).sum::<f64>();
    let top = top(&std::array::from_fn(share));
    let peak = episode().map(|(distance, _)| distance / mewma.limit).fold(0.0, f64::max);
    Some((delay + 1, top, peak))
}

#[test]
fn half_an_hour_of_normal_life_raises_at_most_one_false_episode() {
    let mut total = 0;
    for seed in 0..10 {
        let (mut plant, mut mewma) = fitted(seed, 0.1);
        let limit = mewma.limit;
        let distances: Vec<f64> =
            rows(&mut plant, 1800).iter().map(|row| mewma.score(row).0).collect();
        let (episodes, peak) = false_episodes(&distances, limit);
        println!("seed {seed}: {episodes} false, greatest distance {peak:.2} of the limit");
        assert!(episodes <= 1, "seed {seed}: {episodes} false episodes");
        total += episodes;
    }
    assert!(total <= 2, "{total} false episodes in 5 hours");
}

#[test]
fn every_pump_fault_is_seen_within_a_minute_and_a_root_signal_is_in_the_top_three() {
    for seed in 0..10 {
        let (plant, mewma) = fitted(seed, 0.1);
        for kind in FaultKind::PUMP {
            let (delay, top, peak) = alarm(&plant, &mewma, kind).expect("seen at all");
            println!("seed {seed} {kind:?}: {delay} s, {top:?}, peak {peak:.0} x limit");
            assert!(delay <= 60, "seed {seed} {kind:?}: {delay} s");
            assert!(top.iter().any(|tag| kind.roots().contains(tag)), "{kind:?}: {top:?}");
        }
    }
}

#[test]
#[ignore = "a table for tuning the plant: other smoothing, more seeds"]
fn table_of_false_episodes_and_delays() {
    for lambda in [0.05, 0.1, 0.2] {
        let (mut episodes, mut worst, mut delays) = (0, 0.0_f64, vec![]);
        for seed in 100..120 {
            let (plant, mewma) = fitted(seed, lambda);
            let mut calm = mewma.clone();
            let scores: Vec<_> =
                rows(&mut plant.clone(), 1800).iter().map(|row| calm.score(row)).collect();
            let distances: Vec<f64> = scores.iter().map(|(distance, _)| *distance).collect();
            let (count, peak) = false_episodes(&distances, mewma.limit);
            if peak > 1.0 {
                let farthest = scores.iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
                println!("  seed {seed}: {peak:.2} of the limit, {:?}", top(&farthest.1));
            }
            episodes += count;
            worst = worst.max(peak);
            for kind in FaultKind::PUMP {
                let seen = alarm(&plant, &mewma, kind);
                delays.push(seen.map_or(999, |(delay, ..)| delay));
            }
        }
        delays.sort_unstable();
        let (median, most) = (delays[50], delays[99]);
        println!("lambda {lambda}: {episodes} false in 10 h, worst {worst:.2} of the limit");
        println!("  delay: median {median} s, longest {most} s of {} faults", delays.len());
    }
}
