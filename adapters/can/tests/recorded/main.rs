//! Real databases and recorded buses: every expected value was computed twice, independently.
//!
//! Cases are read from `tests/cases/can` and from the folders in `FIELDGATE_CAN_VECTORS`
//! (separated by `:`, laid out alike).

#[cfg(test)]
mod cases;
