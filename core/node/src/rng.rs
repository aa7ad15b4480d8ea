//! Random ids from a seed that the caller gives, so that every run can be replayed. The generator is SplitMix64; its output
//! names things and protects nothing.

/// A small seeded generator.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A LiveKit-style id: the prefix and twelve letters or digits (71 bits).
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut id = String::with_capacity(prefix.len() + 12);
        id.push_str(prefix);
        for _ in 0..12 {
            let index = (self.next() % ALPHABET.len() as u64) as usize;
            id.push(char::from(ALPHABET[index]));
        }
        id
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
