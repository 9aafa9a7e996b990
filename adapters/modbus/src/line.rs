//! stub
/// stub
pub struct ModbusLine;
