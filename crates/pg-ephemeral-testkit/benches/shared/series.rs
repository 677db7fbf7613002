//! [`Series`]: the times of one measured command, round by round.

use std::time::Duration;

/// The heading above the lines of [`Series::row`].
pub(crate) const HEADING: &str = "   median ms  min - max      ratio  by round\n";

#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// The time of each round, in milliseconds.
    pub(crate) times: Vec<f64>,
}

impl Series {
    pub(crate) fn new(name: String, times: Vec<Duration>) -> Self {
        Self { name, times: times.into_iter().map(milliseconds).collect() }
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.times)
    }

    pub(crate) fn min(&self) -> f64 {
        self.times.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.times.iter().copied().fold(0.0, f64::max)
    }

    /// Returns the median of the ratios within each round. Disturbances that last longer than a round don't affect it.
    pub(crate) fn ratio_by_round(&self, floor: &Self) -> f64 {
        let ratios: Vec<f64> = self.times.iter().zip(&floor.times).map(|(time, floor)| time / floor).collect();
        median(&ratios)
    }

    /// Formats the series as a readable line.
    pub(crate) fn row(&self, floor: &Self) -> String {
        let range = format!("{:.0} - {:.0}", self.min(), self.max());
        format!(
            "  {:>10.1}  {range:<13}  {:>5.2}  {:>8.2}  {}\n",
            self.median(),
            self.median() / floor.median(),
            self.ratio_by_round(floor),
            self.name
        )
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
    (lower + upper) / 2.0
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
