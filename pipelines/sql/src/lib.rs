//! pipelines-sql
