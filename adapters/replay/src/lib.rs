//! adapters-replay
