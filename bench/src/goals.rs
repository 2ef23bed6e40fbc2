//! Figures beside their goals.

use super::statistics::Estimate;

/// A figure beside its goal, which is the most that it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The whole interval is within the goal.
    Met,
    /// The goal is within the interval: more rounds may tell.
    Unsure,
    /// The whole interval is above the goal.
    Missed,
}

impl Verdict {
    pub(crate) fn of(figure: Estimate, goal: f64) -> Self {
        if figure.low > goal {
            Self::Missed
        } else if figure.high > goal {
            Self::Unsure
        } else {
            Self::Met
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Unsure => "unsure",
            Self::Missed => "MISSED",
        }
    }
}

/// Prints figures, and remembers which goals were missed.
#[derive(Default)]
pub(crate) struct Report {
    /// The part of the benchmark that the figures belong to.
    part: String,
    missed: Vec<String>,
}

impl Report {
    /// Begins a part of the benchmark.
    pub(crate) fn begin(&mut self, part: &str) {
        part.clone_into(&mut self.part);
    }

    /// Returns the part that was begun last.
    pub(crate) fn part(&self) -> &str {
        &self.part
    }

    /// Begins a table.
    pub(crate) fn table(&self, title: &str) {
        let title = format!("{}: {title}", self.part);
        println!("\n{title:32}{:>20}{:>8}", "is (95 % interval)", "goal");
    }

    /// Adds a row to it.
    pub(crate) fn row(&mut self, name: &str, figure: Estimate, goal: Option<f64>) {
        let shown = figure.to_string();
        let Some(goal) = goal else {
            return println!("{name:32}{shown:>20}");
        };
        println!("{name:32}{shown:>20}{goal:8}  {}", self.judge(name, figure, goal).text());
    }

    /// Compares a figure with its goal without printing it.
    pub(crate) fn judge(&mut self, name: &str, figure: Estimate, goal: f64) -> Verdict {
        let verdict = Verdict::of(figure, goal);
        if verdict == Verdict::Missed {
            self.missed.push(format!("{}: {name}: {figure}, and the goal is {goal}", self.part));
        }
        verdict
    }

    /// Returns the goals that were surely missed.
    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }
}
