//! The server's own numbers: its `/metrics`, if it has them, before and after people have come and gone.

use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(5);
/// What grows by design says nothing about leaks.
const GROWS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];

/// Reads the gauges of `/metrics`, summed over labels. `None`: the server has none that can be reached.
pub fn gauges(server: &Url) -> Option<BTreeMap<String, f64>> {
    let mut url = server.clone();
    let scheme = if server.scheme() == "wss" { "https" } else { "http" };
    url.set_scheme(scheme).ok()?;
    url.set_path("/metrics");
    url.set_query(None);
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build());
    let text = agent.get(url.as_str()).call().ok()?.into_body().read_to_string().ok()?;
    Some(parse(&text)).filter(|gauges| !gauges.is_empty())
}

fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut gauges = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let name = name.split('{').next().unwrap_or(name);
        if let Ok(value) = value.parse::<f64>()
            && !GROWS.iter().any(|suffix| name.ends_with(suffix))
        {
            *gauges.entry(name.to_owned()).or_insert(0.0) += value;
        }
    }
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_summed_and_counters_left_out() {
        let text = "# HELP peers Peers.\n# TYPE peers gauge\npeers{shard=\"0\"} 2\npeers{shard=\"1\"} 3\nrss_bytes 1.5e6\n\
joins_total 9\nnonsense\n";
        let gauges = parse(text);
        assert_eq!(gauges.len(), 2);
        assert_eq!(gauges["peers"], 5.0);
        assert_eq!(gauges["rss_bytes"], 1_500_000.0);
    }
}
