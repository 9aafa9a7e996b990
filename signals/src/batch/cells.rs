//! Cells: the values of a builder's rows on their way into columns.
//!
//! Rows are staged one behind the other, one run of memory for each type, so that a row of a
//! thousand signals is a thousand stores and not a thousand growing columns. The columns made of
//! them share one buffer a type: a batch of one row takes few allocations, whatever its width.

use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder as _, BinaryBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};

use super::Value;
use crate::{SignalList, ValueType};

/// Rows that are turned into columns at a time.
const BLOCK_ROWS: usize = 64;

/// Rows there is made room for at a time, at most.
const GROWTH_ROWS: usize = 256;

const FITS: &str = "the decoder's value fits the type it declared for the signal";

/// Values of one type, row after row.
#[derive(Debug, Default)]
struct Run<T> {
    /// Signals of the type.
    width: usize,
    cells: Vec<T>,
}

impl<T: Copy + Default> Run<T> {
    /// Makes room for so many rows.
    fn grow(&mut self, room: usize) {
        self.cells.resize(room * self.width, T::default());
    }

    /// Puts a value into a row.
    #[inline]
    fn put(&mut self, (row, place): (usize, usize), value: T) {
        let cell = self.cells.get_mut(row * self.width + place);
        *cell.expect("every signal has its cell in the row") = value;
    }

    /// The values of the first rows, signal after signal; the run is empty afterwards.
    fn by_signal(&mut self, rows: usize) -> Vec<T> {
        self.cells.truncate(rows * self.width);
        if rows == 1 || self.width == 0 {
            return std::mem::take(&mut self.cells);
        }
        let mut turned = vec![T::default(); self.cells.len()];
        // In blocks of rows, so that what is read stays at hand while all signals take theirs.
        for (block, cells) in self.cells.chunks(BLOCK_ROWS * self.width).enumerate() {
            for (place, column) in turned.chunks_exact_mut(rows).enumerate() {
                let to = column.iter_mut().skip(block * BLOCK_ROWS);
                let from = cells.iter().skip(place).step_by(self.width);
                to.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        self.cells.clear();
        turned
    }
}

macro_rules! cells {
    ($($run:ident, $kind:ident: $native:ty as $arrow:ident;)*) => {
        /// The rows of a table of signals, as far as they have been written.
        #[derive(Debug)]
        pub(super) struct Cells {
            /// Type of each signal, and its place among those of its type.
            places: Vec<(ValueType, u16)>,
            rows: usize,
            /// Rows there is room for.
            room: usize,
            /// Whether a signal was set, row after row.
            given: Vec<bool>,
            /// How many were.
            given_count: usize,
            bools: Run<bool>,
            $($run: Run<$native>,)*
            texts: Vec<StringBuilder>,
            bytes: Vec<BinaryBuilder>,
        }

        impl Cells {
            /// No rows yet.
            pub(super) fn new(signals: &SignalList) -> Self {
                let mut cells = Self {
                    places: Vec::with_capacity(signals.len()),
                    rows: 0,
                    room: 0,
                    given: Vec::new(),
                    given_count: 0,
                    bools: Run::default(),
                    $($run: Run::default(),)*
                    texts: Vec::new(),
                    bytes: Vec::new(),
                };
                for signal in signals {
                    let before = cells.count_in(signal.kind);
                    let place = u16::try_from(before).expect("a table has fewer than 65,536 signals");
                    cells.places.push((signal.kind, place));
                }
                cells
            }

            /// Makes room for one signal more of a type; returns how many there were.
            fn count_in(&mut self, kind: ValueType) -> usize {
                let width = match kind {
                    ValueType::Bool => &mut self.bools.width,
                    $(ValueType::$kind => &mut self.$run.width,)*
                    ValueType::Text => {
                        self.texts.push(StringBuilder::with_capacity(1, 0));
                        return self.texts.len() - 1;
                    }
                    ValueType::Bytes => {
                        self.bytes.push(BinaryBuilder::with_capacity(1, 0));
                        return self.bytes.len() - 1;
                    }
                };
                *width += 1;
                *width - 1
            }

            /// Begins a row in which nothing is set.
            #[inline]
            pub(super) fn open_row(&mut self) {
                self.pad_text();
                if self.rows == self.room {
                    self.grow();
                }
                self.rows += 1;
            }

            /// Makes room for as many rows again, at most [`GROWTH_ROWS`]. A batch of one row takes
            /// no more than that row.
            fn grow(&mut self) {
                self.room += self.rows.clamp(1, GROWTH_ROWS);
                let room = self.room;
                self.given.resize(room * self.places.len(), false);
                self.bools.grow(room);
                $(self.$run.grow(room);)*
            }

            /// The columns in the order of the signals; no rows are left.
            pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
                self.pad_text();
                let rows = self.rows;
                self.given.truncate(rows * self.places.len());
                let bools = self.bools.by_signal(rows);
                $(let $run = ScalarBuffer::<$native>::from(self.$run.by_signal(rows));)*
                let absent = NullBuffer::new_null(rows);
                let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
                for (signal, (kind, place)) in self.places.iter().enumerate() {
                    let place = usize::from(*place);
                    let nulls = || self.nulls(signal, &absent);
                    columns.push(match kind {
                        ValueType::Bool => {
                            let own = bools.get(place * rows..(place + 1) * rows);
                            let own = BooleanBuffer::from(own.unwrap_or_default());
                            Arc::new(BooleanArray::new(own, nulls()))
                        }
                        $(ValueType::$kind => column::<$arrow>(&$run, place * rows, rows, nulls()),)*
                        ValueType::Text => finished(self.texts.get_mut(place)),
                        ValueType::Bytes => finished(self.bytes.get_mut(place)),
                    });
                }
                self.rows = 0;
                self.room = 0;
                self.given.clear();
                self.given_count = 0;
                columns
            }

            /// Sets a signal in the last row.
            #[inline]
            pub(super) fn set(&mut self, signal: usize, value: Value<'_>) {
                let row = self.rows.checked_sub(1).expect("`begin` comes before `set`");
                let (kind, place) = *self.places.get(signal).expect("the signal is in the table");
                let given = self.given.get_mut(row * self.places.len() + signal);
                let given = given.expect("a row has all signals");
                assert!(!*given, "a signal is set once per row");
                *given = true;
                self.given_count += 1;
                let place = usize::from(place);
                match (kind, value) {
                    // The common case needs no jump.
                    (ValueType::F64, Value::F64(v)) => self.f64s.put((row, place), v),
                    (kind, value) => self.put(kind, (row, place), value),
                }
            }

            /// Puts a value into the cell of a signal of another type than [`ValueType::F64`].
            fn put(&mut self, kind: ValueType, (row, place): (usize, usize), value: Value<'_>) {
                let cell = (row, place);
                match (kind, value) {
                    (ValueType::Bool, Value::Bool(v)) => self.bools.put(cell, v),
                    (ValueType::I64, Value::I64(v)) => self.i64s.put(cell, v),
                    (ValueType::U64, Value::U64(v)) => self.u64s.put(cell, v),
                    #[expect(clippy::cast_possible_truncation, reason = "the signal was declared f32")]
                    (ValueType::F32, Value::F64(v)) => self.f32s.put(cell, v as f32),
                    (ValueType::I8, Value::I64(v)) => self.i8s.put(cell, v.try_into().expect(FITS)),
                    (ValueType::I16, Value::I64(v)) => self.i16s.put(cell, v.try_into().expect(FITS)),
                    (ValueType::I32, Value::I64(v)) => self.i32s.put(cell, v.try_into().expect(FITS)),
                    (ValueType::U8, Value::U64(v)) => self.u8s.put(cell, v.try_into().expect(FITS)),
                    (ValueType::U16, Value::U64(v)) => self.u16s.put(cell, v.try_into().expect(FITS)),
                    (ValueType::U32, Value::U64(v)) => self.u32s.put(cell, v.try_into().expect(FITS)),
                    (ValueType::Text, Value::Text(v)) => {
                        self.texts.get_mut(place).expect("every text has its column").append_value(v);
                    }
                    (ValueType::Bytes, Value::Bytes(v)) => {
                        self.bytes.get_mut(place).expect("all bytes have their column").append_value(v);
                    }
                    (kind, value) => panic!("{FITS}: {value:?} is not for {kind:?}"),
                }
            }
        }
    };
}

cells! {
    i8s, I8: i8 as Int8Type;
    i16s, I16: i16 as Int16Type;
    i32s, I32: i32 as Int32Type;
    i64s, I64: i64 as Int64Type;
    u8s, U8: u8 as UInt8Type;
    u16s, U16: u16 as UInt16Type;
    u32s, U32: u32 as UInt32Type;
    u64s, U64: u64 as UInt64Type;
    f32s, F32: f32 as Float32Type;
    f64s, F64: f64 as Float64Type;
}

impl Cells {
    /// How many signals there are.
    #[inline]
    pub(super) fn signals(&self) -> usize {
        self.places.len()
    }

    /// Nulls of a signal: where it was not set. `absent` is what one that was never set has.
    fn nulls(&self, signal: usize, absent: &NullBuffer) -> Option<NullBuffer> {
        if self.given_count == self.given.len() {
            return None;
        }
        let width = self.places.len();
        let was_set = |row: usize| self.given.get(row * width + signal) == Some(&true);
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(self.rows, was_set));
        match nulls.null_count() {
            0 => None,
            all if all == self.rows => Some(absent.clone()),
            _ => Some(nulls),
        }
    }

    /// Texts and bytes that were not set are null.
    #[inline]
    fn pad_text(&mut self) {
        for builder in &mut self.texts {
            while builder.len() < self.rows {
                builder.append_null();
            }
        }
        for builder in &mut self.bytes {
            while builder.len() < self.rows {
                builder.append_null();
            }
        }
    }
}

fn column<A: ArrowPrimitiveType>(
    run: &ScalarBuffer<A::Native>,
    first: usize,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<A>::new(run.slice(first, rows), nulls))
}

fn finished<B: arrow_array::builder::ArrayBuilder>(builder: Option<&mut B>) -> ArrayRef {
    let mut column = builder.expect("every signal has its column").finish();
    // A batch often has one row, and its buffers live as long as it does.
    if let Some(column) = Arc::get_mut(&mut column) {
        column.shrink_to_fit();
    }
    column
}
