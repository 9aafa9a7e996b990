//! A figure over time, and how fast it rises.

use std::fmt;

/// Two-sided 95 % quantile of Student's t for so many degrees of freedom or more.
const STUDENT: [(usize, f64); 9] = [
    (120, 1.98),
    (60, 2.0),
    (30, 2.04),
    (20, 2.09),
    (15, 2.13),
    (10, 2.23),
    (5, 2.57),
    (3, 3.18),
    (2, 4.3),
];

/// Seconds, and the figure then.
#[derive(Default)]
pub(super) struct Trend {
    points: Vec<(f64, f64)>,
}

/// The straight line through a part of it.
pub(super) struct Slope {
    pub(super) per_minute: f64,
    /// Half the width of its 95 % interval.
    half: f64,
    /// Means that it was drawn through.
    means: usize,
}

impl Trend {
    pub(super) fn note(&mut self, at_s: f64, figure: f64) {
        self.points.push((at_s, figure));
    }

    /// The least squares line through means over `cycle_s` seconds, of what came after `from_s`;
    /// `None` when there are less than four.
    pub(super) fn slope(&self, from_s: f64, cycle_s: f64) -> Option<Slope> {
        let late: Vec<_> = self.points.iter().filter(|point| point.0 > from_s).collect();
        let first = late.first()?.0;
        let of = |point: &&&(f64, f64)| ((point.0 - first) / cycle_s).floor();
        let means: Vec<(f64, f64)> = late
            .chunk_by(|one, other| of(&one) >= of(&other))
            .map(|points| (mean(points, |point| point.0), mean(points, |point| point.1)))
            .collect();
        let freedom = means.len().checked_sub(2).filter(|freedom| *freedom >= 2)?;
        let all: Vec<_> = means.iter().collect();
        let (x, y) = (mean(&all, |point| point.0), mean(&all, |point| point.1));
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| means.iter().map(of).sum::<f64>();
        let squares = sum(&|point| (point.0 - x).powi(2));
        let slope = sum(&|point| (point.0 - x) * (point.1 - y)) / squares;
        let left = sum(&|point| (point.1 - y - slope * (point.0 - x)).powi(2));
        let error = (left / count(freedom) / squares).sqrt();
        let student = STUDENT.iter().find(|(least, _)| freedom >= *least)?.1;
        Some(Slope { per_minute: slope * 60.0, half: student * error * 60.0, means: means.len() })
    }

    /// How far it rises after `from_s` above the most of what came before.
    pub(super) fn growth(&self, from_s: f64) -> f64 {
        let most = |late: bool| {
            let of = self.points.iter().filter(|point| (point.0 > from_s) == late);
            of.map(|point| point.1).fold(0.0, f64::max)
        };
        most(true) - most(false)
    }
}

fn mean(points: &[&(f64, f64)], of: fn(&(f64, f64)) -> f64) -> f64 {
    points.iter().map(|point| of(point)).sum::<f64>() / count(points.len())
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("far fewer"))
}

impl Slope {
    pub(super) fn contains_zero(&self) -> bool {
        self.per_minute.abs() <= self.half
    }
}

impl fmt::Display for Slope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_minute, half, means } = self;
        write!(f, "{per_minute:+.3} ± {half:.3} KiB/min (95 %, {means} means)")
    }
}

/// The last point of each eighth.
impl fmt::Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let eighths = self.points.chunks(self.points.len().div_ceil(8).max(1));
        for (at_s, figure) in eighths.filter_map(<[(f64, f64)]>::last) {
            write!(f, "{at_s:.0} s {figure:.0}  ")?;
        }
        Ok(())
    }
}

#[test]
fn a_rise_is_told_from_scatter() {
    let scatter = |place: u32| f64::from(place * 7919 % 101) / 10.0;
    let trend = |rise: f64| {
        let mut trend = Trend::default();
        (0..240).for_each(|place| {
            let at_s = f64::from(place) * 5.0;
            trend.note(at_s, 900.0 + scatter(place) + rise * at_s / 60.0);
        });
        trend
    };
    let flat = trend(0.0).slope(400.0, 20.0).unwrap();
    assert!(flat.contains_zero() && flat.half < 0.3, "{flat}");
    let rising = trend(1.0).slope(400.0, 20.0).unwrap();
    assert!(!rising.contains_zero() && (rising.per_minute - 1.0).abs() < 0.3, "{rising}");
    assert!((trend(6.0).growth(600.0) - 60.0).abs() < 10.0);
    assert!(Trend::default().slope(0.0, 20.0).is_none());
}
