//! The result as text or JSON: medians, ranges and ratios.

use std::time::Duration;

use serde_json::{Value, json};

use crate::options::{Backend, Format};
use crate::shared::series::{HEADING, Series, milliseconds};

#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) backend: Backend,
    pub(crate) cold: Vec<Cold>,
    pub(crate) floor: Series,
    pub(crate) series: Vec<Series>,
}

/// The boot that built all layers of a chain.
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

/// Formats the result.
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
    text.push_str(&format!("warm, in {rounds} rounds\n{HEADING}"));
    text.extend(std::iter::once(floor).chain(&summary.series).map(|series| series.row(floor)));
    text
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
