//! Figures: what a measurement ends in, beside a peer's where there is one.

use serde::{Serialize, Serializer};

/// The unit of a figure, which says too whether more of it is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Operations a second.
    PerSecond,
    /// Transactions a second.
    TransactionsPerSecond,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Bytes a transaction.
    BytesPerTransaction,
    /// Bytes a key of the state.
    BytesPerKey,
    /// Of a hundred.
    Percent,
    /// A number of things.
    Count,
}

impl Unit {
    /// Its symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::PerSecond => "1/s",
            Self::TransactionsPerSecond => "tx/s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Bytes => "bytes",
            Self::BytesPerTransaction => "bytes/tx",
            Self::BytesPerKey => "bytes/key",
            Self::Percent => "%",
            Self::Count => "",
        }
    }

    const fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::TransactionsPerSecond)
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.symbol())
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured; parts of it come after a dot.
    pub name: String,
    /// What Ocelli did: the median.
    pub ours: f64,
    /// What the peer did in the same run.
    pub peer: Option<f64>,
    /// The peer.
    pub peer_name: Option<&'static str>,
    /// The unit of both.
    pub unit: Unit,
    /// How many times better Ocelli did: above 1 it is faster or smaller than the peer.
    pub ratio: Option<f64>,
}

impl Figure {
    /// A figure without a peer.
    pub fn new(name: impl Into<String>, ours: f64, unit: Unit) -> Self {
        Self { name: name.into(), ours, peer: None, peer_name: None, unit, ratio: None }
    }

    /// The figure beside what `peer_name` did in the same run.
    pub fn beside(self, peer_name: &'static str, peer: f64) -> Self {
        let ratio = if self.unit.more_is_better() { self.ours / peer } else { peer / self.ours };
        Self { peer: Some(peer), peer_name: Some(peer_name), ratio: Some(ratio), ..self }
    }
}

/// The value that half of `values` lie below; not a number if there are none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of `values` lies below; not a number if there are none.
pub fn quantile(values: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_is_better_whether_more_or_less_is() {
        assert_eq!(Figure::new("rate", 30.0, Unit::PerSecond).beside("peer", 10.0).ratio, Some(3.0));
        assert_eq!(Figure::new("time", 10.0, Unit::Milliseconds).beside("peer", 30.0).ratio, Some(3.0));
    }

    #[test]
    fn a_line_has_these_fields_whether_there_is_a_peer_or_not() {
        let alone = serde_json::to_string(&Figure::new("tree", 2.0, Unit::PerSecond)).expect("serializes");
        assert_eq!(alone, r#"{"name":"tree","ours":2.0,"peer":null,"peer_name":null,"unit":"1/s","ratio":null}"#);
        let beside = serde_json::to_string(&Figure::new("tree", 2.0, Unit::PerSecond).beside("nomt", 1.0));
        assert!(beside.expect("serializes").ends_with(r#""peer":1.0,"peer_name":"nomt","unit":"1/s","ratio":2.0}"#));
    }

    #[test]
    fn quantiles_are_values_that_occur() {
        let values = || (1..=100).rev().map(f64::from);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile(values(), 0.99), 100.0);
        assert_eq!(quantile(values(), 1.0), 100.0);
        assert!(median([]).is_nan());
    }
}
