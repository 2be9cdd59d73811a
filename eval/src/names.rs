//! Strings that are kept once and named by their place.

use std::collections::HashMap;

/// Strings in the order in which they were first met.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    places: HashMap<String, u32>,
}

impl Names {
    /// The place of a name, which it gets when it is new.
    pub(crate) fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.names.len() as u32;
        self.places.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        place
    }

    /// All of them, each at its place.
    pub(crate) fn all(&self) -> &[String] {
        &self.names
    }
}
