//! adapters-can
