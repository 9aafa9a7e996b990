//! Model cards: what a file of weights is, and how to know that it is still that.

use std::collections::HashMap;
use std::fmt::Write as _;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::detector::GroupDetector;
use crate::family::Family;
use crate::frame::Frame;
use crate::model::Model;
use crate::scaling::Scaling;
use crate::settings::Settings;

/// Version of the card's form.
const SCHEMA: u32 = 2;
/// Golden scores may differ so much, relatively: another processor rounds otherwise. The EWMA
/// computes in f64, the other families in f32.
const GOLDEN_TOLERANCE: f64 = 1e-6;
const GOLDEN_TOLERANCE_F32: f64 = 1e-4;
/// Rows of the golden example: past the settling, so that every setting counts.
const GOLDEN_ROWS: usize = 40;

const CENTRE: &str = "scaling.centre";
const SPREAD: &str = "scaling.spread";

/// A model card.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Card {
    schema: u32,
    family: String,
    name: String,
    signals: Vec<String>,
    fingerprint: String,
    settings: Settings,
    period_us: u64,
    budget_per_week: f64,
    rows: usize,
    learnt_from_us: Option<i64>,
    learnt_to_us: Option<i64>,
    parent: Option<u32>,
    code_version: String,
    weights_sha256: String,
    /// Scores of the golden rows, which follow from the scalings.
    golden: Vec<f64>,
}

/// The part of a card that every version will have.
#[derive(Deserialize)]
struct Header {
    schema: u32,
}

impl Card {
    pub(super) fn of(
        detector: &GroupDetector,
        model: &Model,
        weights: &[u8],
        parent: Option<u32>,
    ) -> Self {
        let settings = detector.settings();
        let learnt = detector.learnt();
        let period_us = u64::try_from(settings.period.as_micros()).unwrap_or(u64::MAX);
        Self {
            schema: SCHEMA,
            family: model.family().as_str().to_owned(),
            name: settings.name.clone(),
            signals: settings.signals.clone(),
            fingerprint: fingerprint(&settings.signals),
            settings: *model.settings(),
            period_us,
            budget_per_week: settings.budget_per_week,
            rows: learnt.map_or(0, |learnt| learnt.rows),
            learnt_from_us: learnt.map(|learnt| learnt.from.micros()),
            learnt_to_us: learnt.map(|learnt| learnt.to.micros()),
            parent,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            weights_sha256: sha256(weights),
            golden: golden_scores(model),
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a card is plain numbers and text")
    }

    pub(super) fn from_json(content: &[u8]) -> Result<Self, String> {
        let header: Header = serde_json::from_slice(content)
            .map_err(|err| format!("this is not a model card ({err})"))?;
        if header.schema > SCHEMA {
            let newer = header.schema;
            return Err(format!("written by a newer version (schema {newer}, {SCHEMA} is known)"));
        }
        if header.schema < SCHEMA {
            let older = header.schema;
            return Err(format!("written by an older version (schema {older}, {SCHEMA} is read)"));
        }
        serde_json::from_slice(content).map_err(|err| format!("the card is damaged ({err})"))
    }

    /// Whether weights of this card may score these signals.
    pub(super) fn accepts(&self, signals: &[String]) -> Result<(), String> {
        if Family::from_name(&self.family).is_none() {
            return Err(format!("family `{}` is not known to this version", self.family));
        }
        if self.fingerprint != fingerprint(&self.signals) {
            return Err("the list of signals is damaged".to_owned());
        }
        if self.fingerprint != fingerprint(signals) {
            let first = self.signals.iter().zip(signals).find(|(a, b)| a != b);
            let detail = first.map_or_else(
                || format!("{} signals, not {}", self.signals.len(), signals.len()),
                |(learnt, asked)| format!("`{learnt}` stands where `{asked}` is asked for"),
            );
            return Err(format!("it was learnt on other signals: {detail}"));
        }
        Ok(())
    }

    /// The model in `weights`, after every check.
    pub(super) fn model(&self, weights: &[u8]) -> Result<Model, String> {
        let found = sha256(weights);
        if found != self.weights_sha256 {
            let (found, wanted) = (short(&found), short(&self.weights_sha256));
            return Err(format!("SHA-256 is {found}…, the card says {wanted}…"));
        }
        let tensors = candle_core::safetensors::load_buffer(weights, &Device::Cpu)
            .map_err(|err| format!("these are not weights ({err})"))?;
        let centres = numbers(&tensors, CENTRE)?;
        let spreads = numbers(&tensors, SPREAD)?;
        if centres.len() != spreads.len() {
            return Err("centres and spreads are not of one length".to_owned());
        }
        let scaling = centres.into_iter().zip(spreads).map(|(centre, spread)| Scaling {
            centre,
            spread: Some(spread).filter(|spread| *spread != 0.0),
        });
        let family = Family::from_name(&self.family).ok_or("its family is not known")?;
        let frame = Frame::from_parts(self.signals.clone(), scaling.collect())?;
        let model = Model::from_tensors((family, self.settings), frame, &tensors)?;
        self.check_golden(&model)?;
        Ok(model)
    }

    fn check_golden(&self, model: &Model) -> Result<(), String> {
        let scores = golden_scores(model);
        let tolerance = match model.family() {
            Family::Ewma => GOLDEN_TOLERANCE,
            Family::Dpca | Family::Var | Family::Combined => GOLDEN_TOLERANCE_F32,
        };
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * a.abs().max(1.0);
        if scores.len() == self.golden.len() && scores.iter().zip(&self.golden).all(near) {
            return Ok(());
        }
        let last = |scores: &[f64]| scores.last().copied().unwrap_or_default();
        let (found, wanted) = (last(&scores), last(&self.golden));
        Err(format!("it scores the card's example {found}, not {wanted}"))
    }
}

/// Weights of a model as safetensors: `scaling.centre` and `scaling.spread` `[n]` (0 for a masked
/// signal) in f64, and those of its families.
pub(super) fn weights_of(model: &Model) -> Vec<u8> {
    let vector = |cells: Vec<f64>| {
        let size = cells.len();
        Tensor::from_vec(cells, size, &Device::Cpu).expect("as many cells as the shape says")
    };
    let scaling = model.frame().scaling();
    let mut tensors = model.tensors();
    tensors.extend([
        (CENTRE, vector(scaling.iter().map(|s| s.centre).collect())),
        (SPREAD, vector(scaling.iter().map(|s| s.spread.unwrap_or(0.0)).collect())),
    ]);
    safetensors::serialize(tensors, None).expect("plain tensors on the CPU have bytes")
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn fingerprint(signals: &[String]) -> String {
    let list = serde_json::to_string(signals).expect("text is JSON");
    sha256(list.as_bytes())
}

fn numbers(tensors: &HashMap<String, Tensor>, name: &str) -> Result<Vec<f64>, String> {
    let tensor = tensors.get(name).ok_or_else(|| format!("there is no tensor `{name}`"))?;
    tensor.to_vec1::<f64>().map_err(|err| format!("tensor `{name}`: {err}"))
}

/// Scores of rows that wander away from the centre, each signal at its own pace.
fn golden_scores(model: &Model) -> Vec<f64> {
    let mut model = model.blank();
    let scaling = model.frame().scaling().to_vec();
    let row = |step: usize| -> Vec<Option<f64>> {
        let places = scaling.iter().enumerate();
        let away = |place: usize| crate::real((place + 1) * step % 7) - 3.0;
        places.map(|(place, s)| Some(s.centre + away(place) * s.spread.unwrap_or(1.0))).collect()
    };
    let observed = (1..=GOLDEN_ROWS).map(|step| model.observe(&row(step)).scores);
    observed.flat_map(Option::unwrap_or_default).collect()
}
