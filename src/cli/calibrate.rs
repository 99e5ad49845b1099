//! `seedbed calibrate`: what this machine adds to messages, timers and syncs, as keys of a scenario.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use seedbed_scenarios::real::{Measured, Scratch, calibrate};
use serde_json::{Map, Value, json};

use super::{Done, Verdict, print};

/// Measure what this machine adds to messages, timers and syncs, and print it as keys of a scenario.
///
/// With them the simulator stands for this machine, and can be laid beside the real engine. Nothing that an experiment is
/// to find out is measured.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seedbed calibrate
  seedbed calibrate --samples 2000 --keep measured/")]
pub(super) struct Calibrate {
    /// How often each is measured.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    samples: u32,
    /// Keep all samples in files here, and print laws that name them; otherwise lognormal laws are fitted.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A key, what it says, and the samples.
type Row<'a> = (&'static str, &'static str, &'a [Duration]);

impl Calibrate {
    pub(super) fn execute(&self) -> Done {
        let scratch = Scratch::new().context("cannot create a temporary folder")?;
        let measured = calibrate(self.samples as usize, scratch.path())?;
        let Measured { overhead, slack, sync } = &measured;
        let rows: [Row<'_>; 3] = [
            ("network.overhead", "a message, over TLS on the loopback, beyond its latency", overhead),
            ("clocks.slack", "a timer, beyond what it was set to", slack),
            ("disk.sync", "a record, until it is durable", sync),
        ];
        let laws = rows.iter().map(|row| self.law(row)).collect::<anyhow::Result<Vec<_>>>()?;
        print(&if self.json { as_json(&rows, &laws) } else { as_keys(&rows, &laws) })?;
        Ok(Verdict::Holds)
    }

    /// The law of some samples, as a scenario writes it.
    fn law(&self, (key, _, samples): &Row<'_>) -> anyhow::Result<String> {
        let Some(folder) = &self.keep else { return Ok(fitted(samples)) };
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = std::path::absolute(folder)?.join(format!("{}.csv", key.replace('.', "-")));
        write(&path, samples).with_context(|| format!("cannot write {}", path.display()))?;
        let path = serde_json::to_string(&path.to_string_lossy())?;
        Ok(format!("{{ law = \"empirical\", file = {path}, unit = \"us\" }}"))
    }
}

fn write(path: &Path, samples: &[Duration]) -> std::io::Result<()> {
    let lines = samples.iter().map(|sample| format!("{:.3}\n", micros(*sample)));
    std::fs::write(path, std::iter::once("microseconds\n".to_owned()).chain(lines).collect::<String>())
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// The sample below which a share of all lies.
fn quantile(samples: &[Duration], share: f64) -> Duration {
    let place = (share * samples.len().saturating_sub(1) as f64).round() as usize;
    samples.get(place).copied().unwrap_or_default()
}

/// A normal logarithm with the median and the upper spread of the samples: what comes early matters less than what is late.
fn fitted(samples: &[Duration]) -> String {
    let median = micros(quantile(samples, 0.5)).max(0.001);
    // One standard deviation above the median.
    let sigma = (micros(quantile(samples, 0.8413)).max(median) / median).ln();
    format!("{{ law = \"lognormal\", median = \"{median:.1}us\", sigma = {sigma:.3} }}")
}

fn as_keys(rows: &[Row<'_>], laws: &[String]) -> String {
    let mut text = String::from("# Measured on this machine, for a scenario on the simulator:\n");
    for ((key, about, samples), law) in rows.iter().zip(laws) {
        let shown = [0.5, 0.9, 0.99].map(|share| format!("{:.0} us", micros(quantile(samples, share))));
        let [p50, p90, p99] = shown;
        let (section, key) = key.split_once('.').unwrap_or((key, ""));
        text.push_str(&format!(
            "\n[{section}]  # {about}: median {p50}, p90 {p90}, p99 {p99}\n{key} = {law}\n"
        ));
    }
    text.push_str("\n# Or on the command line:\n#");
    for ((key, ..), law) in rows.iter().zip(laws) {
        text.push_str(&format!(" --set '{key}={law}'"));
    }
    text.push('\n');
    text
}

fn as_json(rows: &[Row<'_>], laws: &[String]) -> String {
    let row = |((key, about, samples), law): (&Row<'_>, &String)| {
        let quantiles = [0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0]
            .map(|share| (format!("p{:.0}", share * 100.0), json!(micros(quantile(samples, share)))));
        let quantiles: Map<String, Value> = quantiles.into_iter().collect();
        let value = json!({ "about": about, "law": law, "samples": samples.len(), "us": quantiles });
        ((*key).to_owned(), value)
    };
    let all: Map<String, Value> = rows.iter().zip(laws).map(row).collect();
    format!("{:#}\n", Value::Object(all))
}
