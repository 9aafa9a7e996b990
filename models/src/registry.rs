//! Registry.
#[cfg(test)]
mod tests;
