//! The detector: learns from clean history, then scores every row and reports episodes.
//!
//! Learning → watching. Of the history, the first two thirds fit the weights and the last third
//! calibrates them (M-3). A detector made with [`GroupDetector::learning`] gathers that history
//! from the rows it is given; one made with [`GroupDetector::fit_from`] watches at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use signals::{Detector, Score, Timestamp};

use crate::Row;
use crate::calibrate::{CALIBRATE_ROWS_MIN, Tail, TailSettings, TailState};
use crate::episode::Episodes;
use crate::family::Family;
use crate::frame::{FitError, SIGNALS_MAX};
use crate::model::{Model, ModelMemory};
use crate::settings::{Settings, correlation_rows};

mod watch;

use watch::{Watch, unscored};

/// Rows a learning detector gathers: half an hour at one a second.
pub const LEARN_ROWS: usize = 1_800;
/// A gap longer than this, and longer than five periods, is not bridged.
pub const GAP_MAX: Duration = Duration::from_secs(5);
/// Length of an episode that the budget is divided by.
const EPISODE_S: f64 = 60.0;
const WEEK_S: f64 = 7.0 * 86_400.0;

/// What a configuration says of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorSettings {
    /// Name that episodes carry.
    pub name: String,
    /// What it is made of.
    pub family: Family,
    /// Paths of its signals, in the order of the values it wants; 1..=256.
    pub signals: Vec<String>,
    /// Episodes a week that the operator accepts while all is well, above 0.
    pub budget_per_week: f64,
    /// Time from row to row.
    pub period: Duration,
}

impl DetectorSettings {
    /// Probability at which a row is unusual, from the budget: `budget · 60 s / week`, an episode
    /// being taken for a minute of dependent rows (longer when rows are rare).
    #[must_use]
    pub fn q(&self) -> f64 {
        let period_s = self.period.as_secs_f64();
        let alike_rows = correlation_rows(Settings::default().ewma_lambda);
        let episode_s = EPISODE_S.max(period_s * alike_rows);
        (self.budget_per_week * episode_s / WEEK_S).clamp(1e-9, 0.01)
    }

    /// The longest distance of two rows that is bridged.
    #[must_use]
    pub fn gap_max(&self) -> Duration {
        GAP_MAX.max(self.period * 5)
    }

    fn period_micros(&self) -> u64 {
        u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX)
    }

    fn gap_micros(&self) -> i64 {
        i64::try_from(self.gap_max().as_micros()).unwrap_or(i64::MAX)
    }

    /// One tail per family of a model; each may claim its part of the budget.
    fn tails(&self, model: &Model) -> Vec<TailSettings> {
        let alike = model.correlation_rows();
        let q = self.q() / crate::real(alike.len().max(1));
        let row_minutes = self.period.as_secs_f64() / 60.0;
        let tail = |correlation_rows| TailSettings { q, correlation_rows, row_minutes };
        alike.into_iter().map(tail).collect()
    }
}

/// What a detector is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It gathers clean history.
    Learning {
        /// Rows gathered.
        rows: usize,
        /// Rows it wants.
        wanted: usize,
        /// Why the last attempt failed, if there was one.
        complaint: Option<FitError>,
    },
    /// It scores.
    Watching,
}

/// Families, calibration and episodes: a whole detector of one group of signals.
#[derive(Debug)]
pub struct GroupDetector {
    settings: DetectorSettings,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Learning { rows: Vec<Row>, complaint: Option<FitError> },
    Watching(Box<Watch>),
}

/// The history a detector learnt from, fitting and calibration together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// Time of the first row.
    pub from: Timestamp,
    /// Time of the last row.
    pub to: Timestamp,
    /// Rows.
    pub rows: usize,
}

/// Everything that changes while watching, as it is stored beside a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchState {
    memory: ModelMemory,
    tails: Vec<TailState>,
    episodes: Episodes,
    last: Option<Timestamp>,
    settling: usize,
    period_us: u64,
    learnt: Learnt,
}

impl GroupDetector {
    /// A detector that knows nothing yet and learns from the first [`LEARN_ROWS`] rows.
    ///
    /// # Errors
    /// [`FitError::Signals`] for a group without signals or with too many.
    pub fn learning(settings: DetectorSettings) -> Result<Self, FitError> {
        let signals = settings.signals.len();
        if signals == 0 || signals > SIGNALS_MAX {
            return Err(FitError::Signals(signals));
        }
        Ok(Self { settings, phase: Phase::Learning { rows: Vec::new(), complaint: None } })
    }

    /// A detector fitted on the first two thirds of `history` (clean, oldest first) and
    /// calibrated on the last third.
    ///
    /// # Errors
    /// [`FitError`] says what is missing.
    pub fn fit_from(settings: DetectorSettings, history: &[Row]) -> Result<Self, FitError> {
        Self::fit_split(settings, history, history.len() / 3 * 2).map(|(detector, _)| detector)
    }

    /// As [`GroupDetector::fit_from`], with the first `fit_rows` rows for fitting. Also gives the
    /// scores of the rows it was calibrated on.
    ///
    /// # Errors
    /// [`FitError`] says what is missing.
    pub fn fit_split(
        settings: DetectorSettings,
        history: &[Row],
        fit_rows: usize,
    ) -> Result<(Self, Vec<Score>), FitError> {
        Self::fit_with((settings, Settings::default()), history, fit_rows)
    }

    /// As [`GroupDetector::fit_split`], with settings of the families' own.
    ///
    /// # Errors
    /// [`FitError`] says what is missing.
    pub fn fit_with(
        (settings, fixed): (DetectorSettings, Settings),
        history: &[Row],
        fit_rows: usize,
    ) -> Result<(Self, Vec<Score>), FitError> {
        let (fit, calibrate) = history.split_at(fit_rows.min(history.len()));
        let how = (settings.family, fixed);
        let model = Model::fit(how, &settings.signals, fit, settings.gap_micros())?;
        let tails = settings.tails(&model).into_iter().map(Tail::new).collect();
        let mut watch = Watch {
            model,
            tails,
            episodes: Episodes::new(settings.q()),
            last: fit.last().map(|row| row.ts),
            settling: 0,
            learnt: learnt_of(history),
        };
        let wanted = settings.signals.len();
        for (place, row) in calibrate.iter().enumerate() {
            let found = row.values.len();
            if found != wanted {
                return Err(FitError::Width { row: fit.len() + place, found, wanted });
            }
        }
        let scores = watch.calibrate(&settings, calibrate);
        let usable = watch.tails.iter().map(Tail::rows).min().unwrap_or(0);
        let scores = scores.ok_or(FitError::TooFewRows {
            rows: calibrate.len(),
            usable,
            needed: CALIBRATE_ROWS_MIN,
        })?;
        let phase = Phase::Watching(Box::new(watch));
        Ok((Self { settings, phase }, scores))
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Learning { rows, complaint } => {
                let complaint = complaint.clone();
                State::Learning { rows: rows.len(), wanted: LEARN_ROWS, complaint }
            }
            Phase::Watching(_) => State::Watching,
        }
    }

    /// What the configuration says of it.
    #[must_use]
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
    }

    /// The score at which a row counts as unusual now; `None` while learning.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        self.watch().and_then(Watch::limit)
    }

    /// The fitted weights; `None` while learning.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        self.watch().map(|watch| &watch.model)
    }

    /// The history it learnt from; `None` while learning.
    #[must_use]
    pub fn learnt(&self) -> Option<Learnt> {
        self.watch().map(|watch| watch.learnt)
    }

    /// What has to be stored beside the weights to go on exactly here; `None` while learning.
    #[must_use]
    pub fn watch_state(&self) -> Option<WatchState> {
        let watch = self.watch()?;
        Some(WatchState {
            memory: watch.model.memory(),
            tails: watch.tails.iter().map(Tail::to_state).collect(),
            episodes: watch.episodes.clone(),
            last: watch.last,
            settling: watch.settling,
            period_us: self.settings.period_micros(),
            learnt: watch.learnt,
        })
    }

    /// A detector of stored weights that goes on where `state` stood. Budget and name are those
    /// of `settings`, which may have changed meanwhile.
    ///
    /// # Errors
    /// A clause about what does not fit together.
    pub fn from_stored(
        settings: DetectorSettings,
        mut model: Model,
        state: WatchState,
    ) -> Result<Self, String> {
        if settings.signals != model.frame().signals() {
            return Err("the signals are not those the model was fitted on".to_owned());
        }
        if settings.family != model.family() {
            let (learnt, asked) = (model.family().as_str(), settings.family.as_str());
            return Err(format!("it is of family `{learnt}`, not `{asked}`"));
        }
        if state.period_us != settings.period_micros() {
            let (learnt, asked) = (state.period_us, settings.period);
            return Err(format!("it learnt at a row every {learnt} µs, not every {asked:?}"));
        }
        model.recall(&state.memory)?;
        let tails = settings.tails(&model);
        if tails.len() != state.tails.len() {
            return Err("the state is of another model".to_owned());
        }
        let pairs = tails.into_iter().zip(state.tails);
        let tails: Option<Vec<Tail>> =
            pairs.map(|(settings, state)| Tail::from_state(settings, state)).collect();
        let tails = tails.ok_or("the calibration holds numbers that are none")?;
        let (learnt, last, settling) = (state.learnt, state.last, state.settling);
        let episodes = state.episodes.with_q(settings.q());
        let watch = Watch { model, tails, episodes, last, settling, learnt };
        Ok(Self { settings, phase: Phase::Watching(Box::new(watch)) })
    }

    fn watch(&self) -> Option<&Watch> {
        match &self.phase {
            Phase::Learning { .. } => None,
            Phase::Watching(watch) => Some(watch),
        }
    }

    /// Gathers a row; fits when there are enough. After a failure the oldest third is dropped, so
    /// that a stretch of standstill is forgotten in time.
    fn gather(&mut self, ts: Timestamp, values: &[Option<f64>]) {
        let Phase::Learning { rows, complaint } = &mut self.phase else { return };
        if let Some(last) = rows.last().filter(|last| last.ts >= ts) {
            if last.ts.since(ts) <= self.settings.gap_max() {
                return;
            }
            // The clock went back: what was gathered has no order with what comes.
            rows.clear();
        }
        rows.push(Row { ts, values: values.to_vec() });
        if rows.len() < LEARN_ROWS {
            return;
        }
        match Self::fit_from(self.settings.clone(), rows) {
            Ok(fitted) => self.phase = fitted.phase,
            Err(error) => {
                tracing::warn!(detector = self.settings.name, %error, "could not learn yet");
                rows.drain(..LEARN_ROWS / 3);
                *complaint = Some(error);
            }
        }
    }
}

impl Detector for GroupDetector {
    fn signals(&self) -> &[String] {
        &self.settings.signals
    }

    /// A row that is not later than the one before (by up to the longest bridged gap) is not
    /// scored; a greater step back is a new clock, after which the detector settles again.
    ///
    /// # Panics
    /// When `values` does not have one entry per signal, which is a bug of the caller.
    fn score(&mut self, ts: Timestamp, values: &[Option<f64>]) -> Score {
        assert_eq!(values.len(), self.settings.signals.len(), "one value per signal");
        match &mut self.phase {
            Phase::Learning { .. } => {
                self.gather(ts, values);
                unscored(ts)
            }
            Phase::Watching(watch) => watch.score(&self.settings, ts, values),
        }
    }
}

fn learnt_of(history: &[Row]) -> Learnt {
    let end = |row: Option<&Row>| row.map_or(Timestamp::default(), |row| row.ts);
    Learnt { from: end(history.first()), to: end(history.last()), rows: history.len() }
}

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod tests;
