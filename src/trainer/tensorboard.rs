//! Scalars for TensorBoard: an event file is a row of framed protobuf messages, small enough to write by hand.
//!
//! Frame (TFRecord): length u64, masked CRC-32C of those eight bytes, the message, masked CRC-32C of the message; all
//! little-endian. Message (`tensorflow/core/util/event.proto`): `wall_time` 1 double, `step` 2 int64, `file_version` 3
//! string, `summary` 5 { `value` 1 { `tag` 1 string, `simple_value` 2 float } }.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// An open event file.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
}

impl EventWriter {
    /// Starts a new file in `folder`; `seconds` is the wall time since 1970, which names the file.
    pub fn create(folder: &Path, seconds: f64) -> std::io::Result<Self> {
        let base = format!("events.out.tfevents.{:010}.attending", seconds as u64);
        // Two starts within one second get different names; TensorBoard reads every file whose name holds "tfevents".
        let (mut name, mut number) = (base.clone(), 1);
        while folder.join(&name).exists() {
            name = format!("{base}.{number}");
            number += 1;
        }
        let mut writer = Self { file: File::create_new(folder.join(name))? };
        let mut message = Vec::new();
        put_double(&mut message, 1, seconds);
        put_bytes(&mut message, 3, b"brain.Event:2");
        writer.file.write_all(&frame(&message))?;
        Ok(writer)
    }

    /// Writes the values of one step.
    pub fn scalars<'a>(
        &mut self,
        seconds: f64,
        step: u64,
        values: impl Iterator<Item = (&'a str, f64)>,
    ) -> std::io::Result<()> {
        self.file.write_all(&frame(&event(seconds, step, values)))
    }
}

fn event<'a>(seconds: f64, step: u64, values: impl Iterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, tag.as_bytes());
        entry.push((2 << 3) | 5);
        entry.extend((value as f32).to_le_bytes());
        put_bytes(&mut summary, 1, &entry);
    }
    let mut message = Vec::new();
    put_double(&mut message, 1, seconds);
    message.push(2 << 3);
    put_varint(&mut message, step);
    put_bytes(&mut message, 5, &summary);
    message
}

fn put_double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push((field << 3) | 1);
    out.extend(value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push((field << 3) | 2);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(message.len() + 16);
    out.extend(length);
    out.extend(masked(crc32c(&length)).to_le_bytes());
    out.extend(message);
    out.extend(masked(crc32c(message)).to_le_bytes());
    out
}

/// TFRecord's mask: a CRC of data that holds CRCs is weak, so they are rotated and shifted.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected polynomial 0x82f63b78.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &b| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ b)])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn crc_matches_rfc_3720() {
        // RFC 3720 appendix B.4: 32 bytes of zeros; and the usual check value of "123456789".
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn an_event_is_the_bytes_that_tensorboard_reads() {
        // Made with tensorboard 2.21 (event_pb2, summary_pb2): Event(wall_time=1.5, step=300, summary=Summary(value=[Value(tag="reward",
        // simple_value=0.25)])).SerializeToString().
        let expected: Vec<u8> = [
            &[0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f][..],
            &[0x10, 0xac, 0x02],
            &[0x2a, 0x0f, 0x0a, 0x0d, 0x0a, 0x06],
            b"reward",
            &[0x15, 0, 0, 0x80, 0x3e],
        ]
        .concat();
        assert_eq!(event(1.5, 300, [("reward", 0.25)].into_iter()), expected);
    }

    #[test]
    fn files_start_with_the_version_and_never_clash() {
        let folder = tempfile::tempdir().unwrap();
        EventWriter::create(folder.path(), 7.0).unwrap();
        let mut second = EventWriter::create(folder.path(), 7.0).unwrap();
        second.scalars(8.0, 1, [("a", 1.0)].into_iter()).unwrap();
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2);
        let bytes = std::fs::read(folder.path().join("events.out.tfevents.0000000007.attending")).unwrap();
        assert_eq!(&bytes[..8], 24_u64.to_le_bytes());
        assert!(bytes.windows(13).any(|w| w == b"brain.Event:2"));
    }
}
