//! Seeded randomness: what wanders, and what a sensor adds.

use super::chacha::ChaCha8;

/// 32-bit words of the key stream set aside for the sensor noise of one step.
const WORDS_PER_STEP: u64 = 256;

/// Normal deviates from one stream of a seed.
#[derive(Clone)]
pub(crate) struct Gauss {
    rng: ChaCha8,
    spare: Option<f64>,
}

impl Gauss {
    /// The stream from its beginning: streams of one seed are independent of each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self { rng: ChaCha8::new(seed, stream), spare: None }
    }

    /// Goes to the place in the stream that belongs to `step`, so that what is drawn there does
    /// not depend on how often somebody looked before.
    pub(crate) fn seek(&mut self, step: u64) {
        self.rng.seek(step * WORDS_PER_STEP);
        self.spare = None;
    }

    /// A deviate with mean 0 and standard deviation 1 (Box and Muller).
    pub(crate) fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// A reading of `value` with noise of standard deviation `sigma`.
    pub(crate) fn around(&mut self, value: f64, sigma: f64) -> f64 {
        value + sigma * self.draw()
    }

    /// A random byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.rng.byte()
    }

    /// Uniform in 0 <= u < 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.rng.uniform()
    }
}

/// A value that wanders about zero and always returns: an Ornstein-Uhlenbeck process at 1 Hz.
#[derive(Clone)]
pub(crate) struct Wander {
    /// Where it is now.
    pub(crate) value: f64,
    keep: f64,
    kick: f64,
}

impl Wander {
    /// Standard deviation `sigma`, in the unit of the value; forgets within `tau_s` seconds.
    pub(crate) fn new(sigma: f64, tau_s: f64) -> Self {
        let keep = (-1.0 / tau_s).exp();
        Self { value: 0.0, keep, kick: sigma * (1.0 - keep * keep).sqrt() }
    }

    /// One second passes.
    pub(crate) fn second(&mut self, gauss: &mut Gauss) {
        self.value = self.keep * self.value + self.kick * gauss.draw();
    }
}

/// A value that follows another with a first-order lag.
#[derive(Clone, Copy)]
pub(crate) struct Lag {
    /// Where it is now.
    pub(crate) value: f64,
    share: f64,
}

impl Lag {
    /// Starts at `value`, follows with the time constant `tau_s` in seconds.
    pub(crate) fn new(value: f64, tau_s: f64) -> Self {
        Self { value, share: 1.0 - (-super::STEP_S / tau_s).exp() }
    }

    /// One step passes while the value it follows is `target`.
    pub(crate) fn follow(&mut self, target: f64) -> f64 {
        self.value += self.share * (target - self.value);
        self.value
    }
}
