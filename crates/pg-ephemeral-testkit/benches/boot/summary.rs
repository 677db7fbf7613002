//! Medians, ranges and ratios, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::options::{Backend, Format};

#[derive(Debug)]
pub(crate) struct Series {
    name: String,
    /// In milliseconds, round by round.
    times: Vec<f64>,
}

#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) backend: Backend,
    pub(crate) cold: Vec<Cold>,
    pub(crate) floor: Series,
    pub(crate) series: Vec<Series>,
}

/// The boot that made all layers of a chain.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) seeds: usize,
    pub(crate) time: Duration,
}

impl Cold {
    fn ratio(&self, to: f64) -> f64 {
        milliseconds(self.time) / to
    }

    fn json(&self, floor: &Series) -> Value {
        json!({
            "seeds": self.seeds,
            "ms": rounded(milliseconds(self.time)),
            "ratio": rounded(self.ratio(floor.median())),
        })
    }
}

impl Series {
    pub(crate) fn new(name: String, times: Vec<Duration>) -> Self {
        Self { name, times: times.into_iter().map(milliseconds).collect() }
    }

    fn median(&self) -> f64 {
        median(&self.times)
    }

    fn min(&self) -> f64 {
        self.times.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn max(&self) -> f64 {
        self.times.iter().copied().fold(0.0, f64::max)
    }

    /// The ratio within each round, of which noise that lasts longer than a round takes no part.
    fn ratio_by_round(&self, floor: &Self) -> f64 {
        let ratios: Vec<f64> = self.times.iter().zip(&floor.times).map(|(time, floor)| time / floor).collect();
        median(&ratios)
    }

    fn json(&self, floor: &Self) -> Value {
        json!({
            "name": self.name,
            "median_ms": rounded(self.median()),
            "min_ms": rounded(self.min()),
            "max_ms": rounded(self.max()),
            "ratio": rounded(self.median() / floor.median()),
            "ratio_by_round": rounded(self.ratio_by_round(floor)),
            "times_ms": self.times.iter().copied().map(rounded).collect::<Vec<_>>(),
        })
    }
}

/// The result as it is printed.
pub(crate) fn shown(summaries: &[Summary], format: Format) -> String {
    match format {
        Format::Json => format!("{:#}\n", summaries.iter().map(as_json).collect::<Value>()),
        Format::Text => summaries.iter().map(as_text).collect(),
    }
}

fn as_json(summary: &Summary) -> Value {
    json!({
        "backend": summary.backend.name(),
        "cold": summary.cold.iter().map(|cold| cold.json(&summary.floor)).collect::<Vec<_>>(),
        "floor": summary.floor.json(&summary.floor),
        "warm": summary.series.iter().map(|series| series.json(&summary.floor)).collect::<Vec<_>>(),
    })
}

fn as_text(summary: &Summary) -> String {
    let floor = &summary.floor;
    let rounds = floor.times.len();
    let mut text = format!("{}: cold, once each\n          ms               ratio\n", summary.backend);
    for cold in &summary.cold {
        let (time, ratio) = (milliseconds(cold.time), cold.ratio(floor.median()));
        text.push_str(&format!("  {time:>10.1}               {ratio:>5.2}            {} seeds\n", cold.seeds));
    }
    text.push_str(&format!("warm, in {rounds} rounds\n   median ms  min - max    ratio  by round\n"));
    for series in std::iter::once(floor).chain(&summary.series) {
        let range = format!("{:.0} - {:.0}", series.min(), series.max());
        text.push_str(&format!(
            "  {:>10.1}  {range:<11}  {:>5.2}  {:>8.2}  {}\n",
            series.median(),
            series.median() / floor.median(),
            series.ratio_by_round(floor),
            series.name
        ));
    }
    text
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
    (lower + upper) / 2.0
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
