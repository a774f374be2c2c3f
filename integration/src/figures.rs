//! Measured figures beside their limits, for the programs that `integration/bench` runs.

use std::process::ExitCode;

/// One figure. Lower is better for all of them.
#[derive(Debug, Clone)]
pub struct Figure {
    name: String,
    measured: f64,
    limit: f64,
    unit: &'static str,
}

impl Figure {
    /// What was measured, and the most that it may be, both in `unit`.
    #[must_use]
    pub fn new(name: impl Into<String>, measured: f64, limit: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            measured,
            limit,
            unit,
        }
    }

    fn is_within_limit(&self) -> bool {
        self.measured <= self.limit
    }

    /// Prints a table of figures. The exit code tells whether all of them are within their limits.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "the table is what it is for")]
    pub fn print(figures: &[Self]) -> ExitCode {
        println!("{:<44} {:>10} {:>10}  {:>5}", "", "measured", "limit", "ratio");
        for figure in figures {
            let Self {
                name,
                measured,
                limit,
                unit,
            } = figure;
            let verdict = if figure.is_within_limit() { "PASS" } else { "over" };
            let ratio = measured / limit;
            println!("{name:<44} {measured:>7.1} {unit:<2} {limit:>7.1} {unit:<2}  {ratio:>5.2}  {verdict}");
        }
        if figures.iter().all(Self::is_within_limit) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
