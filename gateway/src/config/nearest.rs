//! Offering the name that was probably meant.

/// The most similar of `names`, if one is similar enough to have been meant.
///
/// Similar enough: one edit in short names, about one in three letters in long ones; case and
/// `-` for `_` cost nothing.
pub(crate) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let written = plain(written);
    let allowed = (written.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &plain(name)), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// `did you mean "x"?`, or else the names there are.
pub(crate) fn offer<'a>(written: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    /// So many names are listed; more help nobody on one line.
    const LISTED_MAX: usize = 12;
    if let Some(name) = nearest(written, names.clone()) {
        return format!("did you mean \"{name}\"?");
    }
    let listed: Vec<&str> = names.clone().into_iter().take(LISTED_MAX).collect();
    let more = if names.into_iter().nth(LISTED_MAX).is_some() { " …" } else { "" };
    match listed.as_slice() {
        [] => "take it out".to_owned(),
        [one] => format!("use {one}"),
        _ => format!("use one of {}{more}", listed.join(", ")),
    }
}
