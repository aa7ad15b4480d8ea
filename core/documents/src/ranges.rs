//! Sets of clocks, kept as ranges: what is deleted.

use std::collections::BTreeMap;

/// Clocks of each Yjs client, as sorted ranges that neither touch nor overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ranges {
    clients: BTreeMap<u64, Vec<(u32, u32)>>,
}

impl Ranges {
    /// Adds `from..to`.
    pub fn insert(&mut self, client: u64, from: u32, to: u32) {
        if from >= to {
            return;
        }
        let ranges = self.clients.entry(client).or_default();
        let first = ranges.partition_point(|(_, end)| *end < from);
        let last = ranges.partition_point(|(start, _)| *start <= to);
        let merged = ranges
            .get(first..last)
            .unwrap_or_default()
            .iter()
            .fold((from, to), |(from, to), (start, end)| (from.min(*start), to.max(*end)));
        ranges.splice(first..last.max(first), [merged]);
    }

    /// The parts of `from..to` that are not in the set.
    pub fn missing(&self, client: u64, from: u32, to: u32) -> Vec<(u32, u32)> {
        let mut missing = Vec::new();
        let mut at = from;
        let ranges = self.clients.get(&client).map(Vec::as_slice).unwrap_or_default();
        let first = ranges.partition_point(|(_, end)| *end <= from);
        for (start, end) in ranges.iter().skip(first).take_while(|(start, _)| *start < to) {
            if at < *start {
                missing.push((at, *start));
            }
            at = at.max(*end);
        }
        if at < to {
            missing.push((at, to));
        }
        missing
    }

    /// Every range, by client and clock.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        self.clients.iter().flat_map(|(client, ranges)| ranges.iter().map(|(from, to)| (*client, *from, *to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_the_set_of_their_clocks(
            inserts in prop::collection::vec((0u32..40, 0u32..12), 0..20),
            asked in (0u32..50, 0u32..20),
        ) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (from, len) in inserts {
                ranges.insert(7, from, from + len);
                set.extend(from..from + len);
            }
            let kept: Vec<_> = ranges.iter().collect();
            prop_assert_eq!(kept.iter().flat_map(|(_, from, to)| *from..*to).collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            prop_assert!(kept.windows(2).all(|pair| pair[0].2 < pair[1].1), "ranges touch: {kept:?}");
            let (from, to) = (asked.0, asked.0 + asked.1);
            let missing: Vec<u32> = ranges.missing(7, from, to).into_iter().flat_map(|(from, to)| from..to).collect();
            prop_assert_eq!(missing, (from..to).filter(|clock| !set.contains(clock)).collect::<Vec<_>>());
        }
    }
}
