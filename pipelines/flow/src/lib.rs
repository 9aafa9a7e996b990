//! pipelines-flow
