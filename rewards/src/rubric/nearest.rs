//! The known name that is most like an unknown one.

/// The most similar of `known`: at least half of the letters must agree, so that random words find nothing.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let longest = |name: &str| name.chars().count().max(given.chars().count());
    known
        .into_iter()
        .map(|name| (name, distance(given, name)))
        .filter(|(name, distance)| 2 * distance <= longest(name))
        .min_by_key(|(_, distance)| *distance)
        .map(|(name, _)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(64).collect(), other.chars().take(64).collect());
    let mut rows = [vec![0; other.len() + 1], (0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=one.len() {
        let mut row = vec![i; other.len() + 1];
        for j in 1..=other.len() {
            let changed = rows[1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            row[j] = changed.min(rows[1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                row[j] = row[j].min(rows[0][j - 2] + 1);
            }
        }
        rows.swap(0, 1);
        rows[1] = row;
    }
    rows[1][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        for (one, other, expected) in [
            ("", "abc", 3),
            ("weights", "weights", 0),
            ("wieghts", "weights", 1),
            ("gate", "gates", 1),
            ("ab", "xy", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected);
        }
        assert_eq!(nearest("accurracy", ["format", "accuracy"]), Some("accuracy"));
        assert_eq!(nearest("zzzz", ["format", "accuracy"]), None);
    }
}
