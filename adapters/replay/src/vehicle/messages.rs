//! The vehicle's messages: one table that frames are packed by and the database is written from.
//!
//! M-1 `adapters/replay/vehicle.dbc` is [`database`], letter by letter.

use std::fmt::Write as _;

/// Bits of a signal, Intel order, and how they become a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalSpec {
    pub(crate) name: &'static str,
    /// Least significant bit, and how many.
    bits: (u32, u32),
    signed: bool,
    /// Value = raw × factor + offset.
    factor: f64,
    offset: f64,
    /// Least and greatest value.
    range: (f64, f64),
    unit: &'static str,
    of: fn(&Shown) -> f64,
}

/// A message: when it comes, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageSpec {
    pub(crate) name: &'static str,
    pub(crate) id: u32,
    pub(crate) cycle_ms: u64,
    sender: &'static str,
    signals: &'static [SignalSpec],
    /// Whether the last byte is a checksum and the nibble before it counts.
    pub(crate) guarded: bool,
}

/// What the vehicle's controllers know, in the units of the database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) engine_rpm: f64,
    pub(crate) torque_nm: f64,
    pub(crate) throttle_pct: f64,
    pub(crate) brake_bar: f64,
    pub(crate) steering_deg: f64,
    pub(crate) wheels_kmh: [f64; 4],
    pub(crate) gear: f64,
    pub(crate) clutch_open: bool,
    pub(crate) speed_kmh: f64,
    pub(crate) odometer_km: f64,
    pub(crate) fuel_lph: f64,
    pub(crate) fuel_l: f64,
    pub(crate) coolant_c: f64,
    pub(crate) oil_c: f64,
    pub(crate) ambient_c: f64,
    pub(crate) battery_v: f64,
}

#[expect(clippy::cast_possible_truncation, reason = "at most 32 bits")]
const fn signal(
    name: &'static str,
    bits: (u32, u32),
    (factor, offset, unit): (f64, f64, &'static str),
    of: fn(&Shown) -> f64,
) -> SignalSpec {
    let steps = ((1_u64 << bits.1) - 1) as u32;
    let range = (offset, offset + factor * steps as f64);
    SignalSpec { name, bits, signed: false, factor, offset, range, unit, of }
}

impl SignalSpec {
    /// With a sign, and values up to `most` either way.
    const fn signed(mut self, most: f64) -> Self {
        self.signed = true;
        self.range = (-most, most);
        self
    }
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

/// All messages, most urgent first.
pub(crate) const MESSAGES: &[MessageSpec] = &[
    MessageSpec {
        name: "ENGINE_1",
        id: 0x0C9,
        cycle_ms: 10,
        sender: "ECM",
        guarded: true,
        signals: &[
            signal("EngineSpeed", (0, 16), (0.25, 0.0, "rpm"), |s| s.engine_rpm),
            signal("EngineTorque", (16, 16), (0.1, 0.0, "Nm"), |s| s.torque_nm).signed(3276.0),
            signal("Throttle", (32, 8), (0.4, 0.0, "%"), |s| s.throttle_pct),
        ],
    },
    MessageSpec {
        name: "BRAKE_1",
        id: 0x0D1,
        cycle_ms: 20,
        sender: "ABS",
        guarded: true,
        signals: &[
            signal("BrakePressure", (0, 12), (0.1, 0.0, "bar"), |s| s.brake_bar),
            signal("BrakePedal", (12, 1), (1.0, 0.0, ""), |s| flag(s.brake_bar > 0.5)),
        ],
    },
    MessageSpec {
        name: "STEERING_1",
        id: 0x110,
        cycle_ms: 20,
        sender: "ABS",
        guarded: true,
        signals: &[
            signal("SteeringAngle", (0, 16), (0.1, 0.0, "deg"), |s| s.steering_deg).signed(780.0)
        ],
    },
    MessageSpec {
        name: "WHEELS_1",
        id: 0x1A0,
        cycle_ms: 20,
        sender: "ABS",
        guarded: false,
        signals: &[
            signal("WheelFL", (0, 16), (0.01, 0.0, "km/h"), |s| s.wheels_kmh[0]),
            signal("WheelFR", (16, 16), (0.01, 0.0, "km/h"), |s| s.wheels_kmh[1]),
            signal("WheelRL", (32, 16), (0.01, 0.0, "km/h"), |s| s.wheels_kmh[2]),
            signal("WheelRR", (48, 16), (0.01, 0.0, "km/h"), |s| s.wheels_kmh[3]),
        ],
    },
    MessageSpec {
        name: "GEARBOX_1",
        id: 0x1F5,
        cycle_ms: 20,
        sender: "TCM",
        guarded: true,
        signals: &[
            signal("Gear", (0, 4), (1.0, 0.0, ""), |s| s.gear),
            signal("ClutchOpen", (4, 1), (1.0, 0.0, ""), |s| flag(s.clutch_open)),
        ],
    },
    MessageSpec {
        name: "FUEL_1",
        id: 0x3D1,
        cycle_ms: 100,
        sender: "ECM",
        guarded: false,
        signals: &[
            signal("FuelRate", (0, 16), (0.01, 0.0, "L/h"), |s| s.fuel_lph),
            signal("FuelLevel", (16, 16), (0.01, 0.0, "L"), |s| s.fuel_l),
        ],
    },
    MessageSpec {
        name: "VEHICLE_1",
        id: 0x3E9,
        cycle_ms: 50,
        sender: "ABS",
        guarded: false,
        signals: &[
            signal("VehicleSpeed", (0, 16), (0.01, 0.0, "km/h"), |s| s.speed_kmh),
            signal("Odometer", (16, 32), (0.001, 0.0, "km"), |s| s.odometer_km),
        ],
    },
    MessageSpec {
        name: "TEMPERATURES_1",
        id: 0x4C1,
        cycle_ms: 500,
        sender: "ECM",
        guarded: false,
        signals: &[
            signal("CoolantTemp", (0, 12), (0.1, -40.0, "degC"), |s| s.coolant_c),
            signal("OilTemp", (16, 12), (0.1, -40.0, "degC"), |s| s.oil_c),
            signal("AmbientTemp", (32, 12), (0.1, -40.0, "degC"), |s| s.ambient_c),
        ],
    },
    MessageSpec {
        name: "BODY_1",
        id: 0x521,
        cycle_ms: 1000,
        sender: "BCM",
        guarded: false,
        signals: &[signal("BatteryVoltage", (0, 12), (0.01, 0.0, "V"), |s| s.battery_v)],
    },
];

/// Where the counter of a guarded message lies.
const COUNTER: (u32, u32) = (52, 4);

impl SignalSpec {
    /// The bits that show `value`, limited to its range.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded and limited to the range first; a sign is kept in two's complement"
    )]
    fn raw(&self, value: f64) -> u64 {
        let limited = value.clamp(self.range.0, self.range.1);
        let steps = ((limited - self.offset) / self.factor).round() as i64;
        (steps as u64) & ((1 << self.bits.1) - 1)
    }
}

impl MessageSpec {
    /// The eight bytes of the `count`-th frame of this message.
    pub(crate) fn pack(&self, shown: &Shown, count: u64) -> [u8; 8] {
        let mut word = self
            .signals
            .iter()
            .fold(0, |word, signal| word | signal.raw((signal.of)(shown)) << signal.bits.0);
        if self.guarded {
            word |= (count & 0xF) << COUNTER.0;
        }
        let mut bytes = word.to_le_bytes();
        self.seal(&mut bytes);
        bytes
    }

    /// Writes the checksum of a guarded message: the others' sum with the identifier, inverted.
    pub(crate) fn seal(&self, bytes: &mut [u8; 8]) {
        if let (true, [first @ .., last]) = (self.guarded, bytes) {
            let [low, high, ..] = self.id.to_le_bytes();
            let sum =
                first.iter().fold(low.wrapping_add(high), |sum, byte| sum.wrapping_add(*byte));
            *last = !sum;
        }
    }
}

/// Without the last digits, where decimal fractions leave their trace.
fn plain(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The database, as text in DBC.
#[must_use]
pub fn database() -> String {
    let mut text = String::from("VERSION \"\"\n\nNS_ :\n\nBS_:\n\nBU_: ECM ABS TCM BCM\n\n");
    // Writing to a string cannot fail.
    let mut put = |line: std::fmt::Arguments<'_>| text.write_fmt(line).unwrap_or_default();
    for MessageSpec { name, id, sender, signals, guarded, .. } in MESSAGES {
        put(format_args!("BO_ {id} {name}: 8 {sender}\n"));
        for signal in *signals {
            let SignalSpec { name, bits, factor, offset, range, unit, .. } = signal;
            let sign = if signal.signed { '-' } else { '+' };
            put(format_args!(
                " SG_ {name} : {}|{}@1{sign} ({factor},{offset}) [{}|{}] \"{unit}\" Vector__XXX\n",
                bits.0,
                bits.1,
                plain(range.0),
                plain(range.1)
            ));
        }
        if *guarded {
            let (start, length) = COUNTER;
            put(format_args!(" SG_ Counter : {start}|{length}@1+ (1,0) [0|15] \"\" Vector__XXX\n"));
            put(format_args!(" SG_ Checksum : 56|8@1+ (1,0) [0|255] \"\" Vector__XXX\n"));
        }
        put(format_args!("\n"));
    }
    put(format_args!("BA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 65535;\n"));
    put(format_args!("BA_DEF_DEF_ \"GenMsgCycleTime\" 0;\n"));
    for MessageSpec { id, cycle_ms, .. } in MESSAGES {
        put(format_args!("BA_ \"GenMsgCycleTime\" BO_ {id} {cycle_ms};\n"));
    }
    text
}

#[cfg(test)]
mod tests;
