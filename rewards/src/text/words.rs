//! Small fixed sets of words, looked up by the hash of their folded form.

use std::sync::OnceLock;

use super::hash_word;

/// A set of words, hashed once.
#[derive(Debug)]
pub(crate) struct Words {
    list: &'static str,
    hashes: OnceLock<Vec<u64>>,
}

impl Words {
    /// The words of a list, parted by white space.
    pub(crate) const fn new(list: &'static str) -> Words {
        Words { list, hashes: OnceLock::new() }
    }

    /// Whether a word of that hash is in the set.
    pub(crate) fn has(&self, hash: u64) -> bool {
        let hashes = self.hashes.get_or_init(|| {
            let mut hashes: Vec<u64> = self.list.split_whitespace().map(hash_word).collect();
            hashes.sort_unstable();
            hashes
        });
        hashes.binary_search(&hash).is_ok()
    }
}
