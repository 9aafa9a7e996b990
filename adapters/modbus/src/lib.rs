//! adapters-modbus
