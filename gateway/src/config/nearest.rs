//! Offering the name that was probably meant.

/// Jaro-Winkler similarity from which an abbreviation was meant: `max_regs`, `desc`.
const ALIKE_MIN: f64 = 0.87;

/// The most similar of `names`, if one is similar enough to have been meant.
///
/// Similar enough: one edit in short names, about one in three letters in long ones; case and
/// `-` for `_` cost nothing. Abbreviations that start alike count too.
pub(crate) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let written = plain(written);
    let allowed = (written.chars().count() / 3).max(1);
    let close = |name: &str| {
        let edits = strsim::damerau_levenshtein(&written, &plain(name));
        let alike = strsim::jaro_winkler(&written, &plain(name)) >= ALIKE_MIN;
        (edits <= allowed || alike).then_some(edits)
    };
    let close = names.into_iter().filter_map(|name| Some((close(name)?, name)));
    close.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
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
