//! What the machines share: weather, mains, and the demand for steam and air.

use super::noise::{Gauss, Wander};
use super::operation::{Orders, Wear};

/// Weather fronts: standard deviation in K, and how long one lasts in seconds.
const FRONT: (f64, f64) = (2.2, 100_000.0);

/// The surroundings of the machines.
#[derive(Clone)]
pub(crate) struct Site {
    gauss: Gauss,
    /// Fronts pass over plants that have seasons; they draw from a stream of their own.
    weather: Gauss,
    front: Wander,
    ambient: Wander,
    mains: Wander,
    steam: Wander,
    air: Wander,
    /// Air around the machines, °C.
    pub(crate) ambient_c: f64,
    /// Mains voltage over its nominal value.
    pub(crate) mains_ratio: f64,
    /// Steam the consumers want, t/h.
    pub(crate) steam_demand_tph: f64,
    /// Compressed air the consumers want at 7 bar, m³/min.
    pub(crate) air_demand_m3min: f64,
}

impl Site {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            gauss: Gauss::new(seed, 1),
            weather: Gauss::new(seed, 5),
            front: Wander::new(FRONT.0, FRONT.1),
            ambient: Wander::new(0.15, 1800.0),
            mains: Wander::new(0.004, 60.0),
            steam: Wander::new(0.12, 150.0),
            air: Wander::new(0.5, 120.0),
            ambient_c: 18.0,
            mains_ratio: 1.0,
            steam_demand_tph: 3.2,
            air_demand_m3min: 8.0,
        }
    }

    /// One second of a plant with seasons passes, before [`Site::second`].
    pub(crate) fn weather(&mut self) {
        self.front.second(&mut self.weather);
    }

    /// One second passes; `hour` is the UTC time of day in hours, 0 <= hour < 24.
    pub(crate) fn second(&mut self, hour: f64, orders: &Orders) {
        for wander in [&mut self.ambient, &mut self.mains, &mut self.steam, &mut self.air] {
            wander.second(&mut self.gauss);
        }
        // Warmest at three in the afternoon; steam is wanted when it is cold.
        let day = (std::f64::consts::TAU * (hour - 9.0) / 24.0).sin();
        let season = orders.season_k + self.front.value;
        self.ambient_c = 18.0 + 4.0 * day + self.ambient.value + season;
        self.mains_ratio = 1.0 + self.mains.value;
        self.steam_demand_tph = (3.2 - 0.2 * day + self.steam.value) * orders.steam_ratio;
        self.air_demand_m3min = (8.0 + self.air.value) * orders.air_ratio;
    }
}

/// What a machine is told in one step.
pub(crate) struct Step<'a> {
    /// Its surroundings.
    pub(crate) site: &'a Site,
    /// What is wrong.
    pub(crate) effects: &'a super::fault::Effects,
    /// What it shall do.
    pub(crate) orders: &'a Orders,
    /// How worn it is.
    pub(crate) wear: &'a Wear,
    /// Whether it is told to stand still.
    pub(crate) stopped: bool,
    /// Whether a second begins with this step.
    pub(crate) second: bool,
}
