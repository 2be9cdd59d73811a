//! The safetensors format: eight bytes with the header's length (u64, little-endian), a JSON header
//! `{"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {..}}`, and the values.
//!
//! Design decision: tensors are read one at a time into buffers that the caller owns. A model is never in memory twice
//! and nothing is mapped, so that no `unsafe` is needed; the cost is one pass over the file by ordinary reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::error::ModelError;

/// Bytes converted at a time.
const CHUNK: usize = 1 << 18;
/// Longest header that is believed (the format's own limit, 100 MB).
const MAX_HEADER: u64 = 100_000_000;

/// Where a file's bytes come from: the disk, or the program itself.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// One tensor's entry in the header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// `F32`, `BF16`, ...
    pub dtype: String,
    /// Row-major.
    pub shape: Vec<usize>,
    /// Bytes after the header, half-open.
    pub data_offsets: [u64; 2],
}

/// An open file with its header read and checked.
pub struct Safetensors {
    path: PathBuf,
    reader: Box<dyn ReadSeek>,
    data_start: u64,
    entries: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

impl Safetensors {
    /// Opens a file and checks that every tensor lies within it.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(ModelError::io(path))?;
        Self::read(path, Box::new(BufReader::with_capacity(CHUNK, file)))
    }

    /// Reads a file that is part of the program; `name` is used in messages.
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, ModelError> {
        Self::read(Path::new(name), Box::new(Cursor::new(bytes)))
    }

    pub(crate) fn read(path: &Path, mut reader: Box<dyn ReadSeek>) -> Result<Self, ModelError> {
        let broken = |reason: String| ModelError::Broken { path: path.to_path_buf(), format: "safetensors", reason };
        let io = || ModelError::io(path);
        let size = reader.seek(SeekFrom::End(0)).map_err(io())?;
        reader.seek(SeekFrom::Start(0)).map_err(io())?;
        if size < 8 {
            return Err(broken(format!("it has {size} bytes")));
        }
        let mut length = [0; 8];
        reader.read_exact(&mut length).map_err(io())?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size - 8 {
            return Err(broken(format!("the header claims {length} bytes, the file has {size}")));
        }
        let mut header = vec![0; length as usize];
        reader.read_exact(&mut header).map_err(io())?;
        let mut fields: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|e| broken(format!("the header is not JSON: {e}")))?;
        let metadata = match fields.remove("__metadata__") {
            Some(v) => serde_json::from_value(v).map_err(|e| broken(format!("__metadata__: {e}")))?,
            None => BTreeMap::new(),
        };
        let mut entries = BTreeMap::new();
        for (name, value) in fields {
            let entry: Entry =
                serde_json::from_value(value).map_err(|e| broken(format!("the entry of {name}: {e}")))?;
            let [begin, end] = entry.data_offsets;
            if begin > end || end > size - 8 - length {
                let have = size - 8 - length;
                return Err(broken(format!("tensor {name} ends at byte {end} of the data, but {have} are there")));
            }
            let wanted = element_size(&entry.dtype)
                .and_then(|w| entry.shape.iter().try_fold(w, |n, d| n.checked_mul(*d as u64)));
            if wanted.is_some_and(|w| w != end - begin) {
                let (have, shape) = (end - begin, &entry.shape);
                return Err(broken(format!("tensor {name} has {have} bytes for {} of shape {shape:?}", entry.dtype)));
            }
            entries.insert(name, entry);
        }
        Ok(Self { path: path.to_path_buf(), reader, data_start: 8 + length, entries, metadata })
    }

    /// All tensors, by name.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// The free-form `__metadata__`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    fn entry(&self, name: &str) -> Result<Entry, ModelError> {
        self.entries
            .get(name)
            .cloned()
            .ok_or_else(|| ModelError::MissingTensor { path: self.path.clone(), name: name.to_owned() })
    }

    /// Reads a tensor of the expected shape as f32 into `out`; F32, F16, BF16 and F64 are converted.
    pub fn read_f32_into(&mut self, name: &str, shape: &[usize], out: &mut [f32]) -> Result<(), ModelError> {
        let entry = self.entry(name)?;
        if entry.shape != shape || shape.iter().product::<usize>() != out.len() {
            let (found, expected) = (entry.shape, shape.to_vec());
            return Err(ModelError::WrongShape { path: self.path.clone(), name: name.to_owned(), found, expected });
        }
        let convert: fn(&[u8], &mut [f32]) = match entry.dtype.as_str() {
            "F32" => |bytes, out| convert(bytes, out, f32::from_le_bytes),
            "F64" => |bytes, out| convert(bytes, out, |b| f64::from_le_bytes(b) as f32),
            "BF16" => |bytes, out| convert(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            "F16" => |bytes, out| convert(bytes, out, |b| f16_to_f32(u16::from_le_bytes(b))),
            other => return Err(self.unreadable(name, other, "F32, F16, BF16 and F64")),
        };
        let width = ((entry.data_offsets[1] - entry.data_offsets[0]) as usize).checked_div(out.len()).unwrap_or(0);
        self.stream(&entry, width, |at, bytes| {
            let count = bytes.len() / width;
            convert(bytes, &mut out[at..at + count]);
        })
    }

    /// Reads an F32 or F64 tensor as f64, with its shape.
    pub fn read_f64(&mut self, name: &str) -> Result<(Vec<usize>, Vec<f64>), ModelError> {
        let entry = self.entry(name)?;
        let mut out = Vec::with_capacity(entry.shape.iter().product());
        match entry.dtype.as_str() {
            "F64" => self.stream(&entry, 8, |_, bytes| extend(bytes, &mut out, f64::from_le_bytes))?,
            "F32" => {
                self.stream(&entry, 4, |_, bytes| extend(bytes, &mut out, |b| f64::from(f32::from_le_bytes(b))))?;
            }
            other => return Err(self.unreadable(name, other, "F32 and F64")),
        }
        Ok((entry.shape, out))
    }

    /// Reads an I64 or I32 tensor as i64, with its shape.
    pub fn read_i64(&mut self, name: &str) -> Result<(Vec<usize>, Vec<i64>), ModelError> {
        let entry = self.entry(name)?;
        let mut out = Vec::with_capacity(entry.shape.iter().product());
        match entry.dtype.as_str() {
            "I64" => self.stream(&entry, 8, |_, bytes| extend(bytes, &mut out, i64::from_le_bytes))?,
            "I32" => {
                self.stream(&entry, 4, |_, bytes| extend(bytes, &mut out, |b| i64::from(i32::from_le_bytes(b))))?;
            }
            other => return Err(self.unreadable(name, other, "I64 and I32")),
        }
        Ok((entry.shape, out))
    }

    fn unreadable(&self, name: &str, found: &str, readable: &'static str) -> ModelError {
        let (path, name, found) = (self.path.clone(), name.to_owned(), found.to_owned());
        ModelError::TensorType { path, name, found, readable }
    }

    /// Hands the entry's bytes over in pieces of whole elements, with the index of the first element of each.
    fn stream(&mut self, entry: &Entry, width: usize, mut take: impl FnMut(usize, &[u8])) -> Result<(), ModelError> {
        let [begin, end] = entry.data_offsets;
        let io = || ModelError::io(&self.path);
        self.reader.seek(SeekFrom::Start(self.data_start + begin)).map_err(io())?;
        let mut left = (end - begin) as usize;
        let mut buffer = vec![0; CHUNK.min(left)];
        let mut at = 0;
        while left > 0 {
            let piece = &mut buffer[..CHUNK.min(left)];
            self.reader.read_exact(piece).map_err(io())?;
            take(at, piece);
            at += piece.len() / width;
            left -= piece.len();
        }
        Ok(())
    }
}

fn convert<const N: usize, T>(bytes: &[u8], out: &mut [T], value: impl Fn([u8; N]) -> T) {
    for (o, b) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *o = value(*b);
    }
}

fn extend<const N: usize, T>(bytes: &[u8], out: &mut Vec<T>, value: impl Fn([u8; N]) -> T) {
    out.extend(bytes.as_chunks::<N>().0.iter().map(|b| value(*b)));
}

fn element_size(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => 1,
        _ => return None,
    })
}

/// IEEE 754 binary16 to binary32, exact.
pub(crate) fn f16_to_f32(h: u16) -> f32 {
    let sign = u32::from(h >> 15) << 31;
    let exponent = u32::from(h >> 10) & 0x1f;
    let fraction = u32::from(h) & 0x3ff;
    let magnitude = match exponent {
        // Zero and subnormals: fraction * 2^-24, exact in f32.
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        0x1f => 0x7f80_0000 | (fraction << 13),
        e => ((e + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(sign | magnitude)
}

/// A tensor to be written as F32.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// Name in the header.
    pub name: String,
    /// Row-major.
    pub shape: Vec<usize>,
    /// The values.
    pub values: &'a [f32],
}

/// Writes tensors as F32 in the given order, with free-form metadata, and syncs the file.
///
/// The bytes depend on the arguments alone. The file is written in place: callers that replace a file write to a
/// temporary name and rename.
pub fn write(path: &Path, tensors: &[View<'_>], metadata: &BTreeMap<String, String>) -> Result<(), ModelError> {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    }
    let mut offset = 0u64;
    for t in tensors {
        let end = offset + 4 * t.values.len() as u64;
        let entry = serde_json::json!({ "dtype": "F32", "shape": t.shape, "data_offsets": [offset, end] });
        header.insert(t.name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // The values start at a multiple of 8 bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let save = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(CHUNK, File::create(path)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        let mut bytes = Vec::with_capacity(CHUNK);
        for values in tensors.iter().flat_map(|t| t.values.chunks(CHUNK / 4)) {
            bytes.clear();
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            out.write_all(&bytes)?;
        }
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    };
    save().map_err(ModelError::io(path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_values() {
        // IEEE 754-2008 binary16 examples.
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555_e-5),
            (0x3555, 0.333_251_95),
            (0x8000, -0.0),
        ] {
            assert_eq!(f16_to_f32(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert_eq!(f16_to_f32(0x7c00), f32::INFINITY);
        assert!(f16_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        // More values than fit one chunk.
        let long: Vec<f32> = (0..200_000).map(|i| i as f32 * 0.5 - 7.0).collect();
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let views = [
            View { name: "b".into(), shape: vec![2, 1], values: &[1.5, f32::MIN_POSITIVE] },
            View { name: "a".into(), shape: vec![400, 500], values: &long },
        ];
        write(&path, &views, &metadata).unwrap();
        let mut file = Safetensors::open(&path).unwrap();
        assert_eq!(file.metadata(), &metadata);
        let mut out = vec![0.0; 200_000];
        file.read_f32_into("a", &[400, 500], &mut out).unwrap();
        assert_eq!(out, long);
        assert_eq!(file.read_f64("b").unwrap(), (vec![2, 1], vec![1.5, f64::from(f32::MIN_POSITIVE)]));
        let wrong = file.read_f32_into("a", &[500, 400], &mut out).unwrap_err().to_string();
        assert!(wrong.ends_with("tensor a has shape [400, 500]; the configuration asks for [500, 400]"), "{wrong}");
        assert!(file.read_f64("c").unwrap_err().to_string().ends_with("tensor c is missing"));
    }

    #[test]
    fn hostile_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let with_header = |header: &str, data: usize| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.resize(bytes.len() + data, 0);
            bytes
        };
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (vec![], "it has 0 bytes"),
            (u64::MAX.to_le_bytes().to_vec(), "the header claims 18446744073709551615 bytes, the file has 8"),
            (with_header("{]", 0), "the header is not JSON"),
            (with_header(r#"{"a":{"dtype":"F32"}}"#, 0), "the entry of a: missing field"),
            (
                with_header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7),
                "tensor a ends at byte 8 of the data, but 7 are there",
            ),
            (with_header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8), "tensor a ends at byte 0"),
            (
                with_header(r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8),
                "tensor a has 8 bytes for F32 of shape [3]",
            ),
        ];
        for (bytes, expected) in cases {
            std::fs::write(&path, bytes).unwrap();
            let error = Safetensors::open(&path).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(&path, with_header(r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#, 8)).unwrap();
        let mut file = Safetensors::open(&path).unwrap();
        let error = file.read_f32_into("a", &[8], &mut [0.0; 8]).unwrap_err().to_string();
        assert!(error.ends_with("tensor a has type U8; readable are F32, F16, BF16 and F64"), "{error}");
    }
}
