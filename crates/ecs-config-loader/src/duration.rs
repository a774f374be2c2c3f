//! Durations in the syntax of Go's `time.ParseDuration`.

use thiserror::Error;

/// A text that is not a duration in Go's syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DurationError {
    /// It does not follow the grammar, or is out of range (about 292 years).
    #[error("it is not a duration")]
    Invalid,
    /// A number without a unit; only `0` may stand alone.
    #[error("a unit is missing")]
    MissingUnit,
    /// A unit other than `ns`, `us`, `µs`, `ms`, `s`, `m` and `h`.
    #[error("the unit is unknown: use h, m, s, ms, us or ns")]
    UnknownUnit,
}

/// Reads a duration such as `1h30m`, `1.5h` or `-300ms` and returns nanoseconds.
///
/// Rule: <https://pkg.go.dev/time#ParseDuration>.
///
/// # Errors
///
/// [`DurationError`] for what Go refuses.
///
/// ```
/// use ecs_config_loader::{DurationError, parse_go_duration};
///
/// assert_eq!(parse_go_duration("1h30m"), Ok(5_400_000_000_000));
/// assert_eq!(parse_go_duration("60"), Err(DurationError::MissingUnit));
/// ```
pub fn parse_go_duration(text: &str) -> Result<i64, DurationError> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(DurationError::Invalid);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = component(rest)?;
        total = total
            .checked_add(nanoseconds)
            .filter(|sum| *sum <= MAXIMUM)
            .ok_or(DurationError::Invalid)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (true, _) => Ok(0_i64.wrapping_sub_unsigned(total)),
        (false, Ok(nanoseconds)) => Ok(nanoseconds),
        (false, Err(_)) => Err(DurationError::Invalid),
    }
}

/// The most negative duration has no positive counterpart.
const MAXIMUM: u64 = 1 << 63;

/// One number with its unit, and what follows it.
fn component(text: &str) -> Result<(u64, &str), DurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Invalid);
    }
    let unit_len = rest
        .find(|character: char| character == '.' || character.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_len);
    let scale: u64 = match unit {
        "" => return Err(DurationError::MissingUnit),
        "ns" => 1,
        // The micro sign and the Greek letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(DurationError::UnknownUnit),
    };
    let whole: u64 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| DurationError::Invalid)?,
    };
    whole
        .checked_mul(scale)
        .and_then(|value| value.checked_add(fraction_of(fraction, scale)))
        .filter(|value| *value <= MAXIMUM)
        .map(|value| (value, rest))
        .ok_or(DurationError::Invalid)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Digits below a nanosecond are cut off. 18 digits are more than the largest unit has and cannot overflow.
fn fraction_of(fraction: &str, scale: u64) -> u64 {
    let (value, power) = fraction
        .bytes()
        .take(18)
        .fold((0_u128, 1_u128), |(value, power), digit| {
            (value * 10 + u128::from(digit - b'0'), power * 10)
        });
    u64::try_from(value * u128::from(scale) / power).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_parses_as_in_go() {
        let rows: Vec<serde_json::Value> = include_str!("../tests/vectors/duration.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 36);
        for row in rows {
            let input = row["input"].as_str().unwrap();
            match (parse_go_duration(input), row["nanos"].as_i64()) {
                (Ok(nanoseconds), Some(expected)) => assert_eq!(nanoseconds, expected, "{input:?}"),
                (Err(error), None) => {
                    let expected = row["error"].as_str().unwrap();
                    let same = match error {
                        DurationError::Invalid => expected.contains("invalid duration"),
                        DurationError::MissingUnit => expected.contains("missing unit"),
                        DurationError::UnknownUnit => expected.contains("unknown unit"),
                    };
                    assert!(same, "{input:?}: {error:?} is not {expected}");
                }
                (found, expected) => panic!("{input:?}: {found:?} is not {expected:?}"),
            }
        }
    }

    #[test]
    fn the_most_negative_duration_parses_and_its_positive_does_not() {
        assert_eq!(parse_go_duration("-9223372036854775808ns"), Ok(i64::MIN));
        assert_eq!(
            parse_go_duration("9223372036854775808ns"),
            Err(DurationError::Invalid)
        );
    }

    proptest::proptest! {
        #[test]
        fn whole_nanoseconds_come_back(nanoseconds in proptest::prelude::any::<i64>()) {
            proptest::prop_assert_eq!(parse_go_duration(&format!("{nanoseconds}ns")), Ok(nanoseconds));
        }

        #[test]
        fn no_text_panics(text in "[-+.0-9a-zµ ٣]{0,24}") {
            let _ = parse_go_duration(&text);
        }
    }
}
