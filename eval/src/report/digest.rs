//! SHA-256 in base64, by which a content-security policy names the one script that may run.

use sha2::{Digest, Sha256};

/// The digest in base64 (RFC 4648, section 4).
pub(super) fn sha256_base64(text: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for bytes in Sha256::digest(text).chunks(3) {
        let group = (0..3).fold(0_u32, |group, i| group << 8 | u32::from(*bytes.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * i) & 63) as usize];
            encoded.push(if i <= bytes.len() { char::from(letter) } else { '=' });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// openssl dgst -sha256 -binary | base64, of "abc" and of nothing.
    #[test]
    fn as_openssl_prints_it() {
        assert_eq!(sha256_base64(b"abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(sha256_base64(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
