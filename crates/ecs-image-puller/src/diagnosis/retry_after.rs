//! How long a registry asks to be left alone, where it says so in words: an engine does not pass its headers on.

use std::time::Duration;

/// Finds `retry-after: 1.5s`, `Retry-After: 30` and the like: whole seconds as in the header
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>), or a number with Go's unit as GitHub's registry
/// writes it.
pub(super) fn find(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let after = ["retry-after", "retry after", "try again in"]
        .iter()
        .find_map(|name| lower.find(name).map(|at| &lower[at + name.len()..]))?;
    let after = after.trim_start_matches([':', '=', ' ', '"']);
    let number_end = after
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(after.len());
    let number: f64 = after[..number_end].trim_end_matches('.').parse().ok()?;
    let unit = after[number_end..].trim_start();
    let seconds = if unit.starts_with("ms") || unit.starts_with("milli") {
        number / 1e3
    } else if unit.starts_with("\u{b5}s") || unit.starts_with("us") || unit.starts_with("\u{3bc}s") {
        number / 1e6
    } else if unit.starts_with("ns") {
        number / 1e9
    } else if unit.starts_with('m') {
        number * 60.0
    } else if unit.starts_with('h') {
        number * 3600.0
    } else {
        number
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::find;

    #[test]
    fn a_wait_is_found_in_words() {
        for (message, expected) in [
            (
                "toomanyrequests: retry-after: 1.5s, allowed: 44000/minute",
                Some(1_500_000_000),
            ),
            (
                "toomanyrequests: retry-after: 569.5\u{b5}s, allowed: 44000/minute",
                Some(569_500),
            ),
            ("Too Many Requests. Retry-After: 30", Some(30_000_000_000)),
            ("please retry after 2 minutes", Some(120_000_000_000)),
            ("try again in 10ms.", Some(10_000_000)),
            ("toomanyrequests: Rate exceeded", None),
            ("retry-after: soon", None),
            ("retry-after: 9999999999999999999999999999", None),
        ] {
            assert_eq!(find(message), expected.map(Duration::from_nanos), "{message}");
        }
    }
}
