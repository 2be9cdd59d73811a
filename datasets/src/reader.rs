//! Reading files of records: JSON Lines, one at a time, whatever a file begins or ends its lines with.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::marker::PhantomData;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Case;
use crate::error::{DataError, Place, Problem};
use crate::validate::validate;

/// Most messages of skipped records that are kept for listing; all are counted.
pub const LISTED: usize = 1000;

/// Opens a file for reading: `-` is standard input, gzip is unpacked (by its magic number, not its name).
///
/// # Errors
/// The file cannot be opened or read.
pub fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
    let file = display(path);
    let fail = |reason| DataError::Read { file: file.clone(), reason };
    let mut reader: Box<dyn BufRead + Send> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = File::open(path).map_err(fail)?;
        if opened.metadata().map_err(fail)?.is_dir() {
            return Err(fail(std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a folder, expected a file")));
        }
        Box::new(BufReader::with_capacity(1 << 16, opened))
    };
    let gzip = reader.fill_buf().map_err(fail)?.starts_with(&[0x1f, 0x8b]);
    if gzip {
        reader = Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(reader)));
    }
    Ok(reader)
}

/// The name of a file in messages.
pub fn display(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// The lines of a file with their numbers: a byte order mark, `\r` before `\n` and blank lines are dropped.
pub struct Lines {
    file: String,
    reader: Box<dyn BufRead + Send>,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens a file (see [`open`]).
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self::new(open(path)?, display(path)))
    }

    /// Reads from an open stream, named in messages.
    pub fn new(reader: Box<dyn BufRead + Send>, file: String) -> Self {
        Self { file, reader, number: 0, buffer: Vec::new() }
    }

    /// The next line that is not blank, with its number counted from 1.
    ///
    /// # Errors
    /// The stream fails, or the line is not UTF-8 (then the next call goes on after it).
    pub fn next_line(&mut self) -> Result<Option<(u64, &str)>, DataError> {
        loop {
            self.buffer.clear();
            let read = self.reader.read_until(b'\n', &mut self.buffer);
            if read.map_err(|reason| DataError::Read { file: self.file.clone(), reason })? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let start = if self.number == 1 && self.buffer.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
            if !self.buffer[start..].iter().all(u8::is_ascii_whitespace) {
                let number = self.number;
                return match std::str::from_utf8(&self.buffer[start..]) {
                    Ok(line) => Ok(Some((number, line.trim_matches([' ', '\t', '\r', '\n'])))),
                    Err(error) => {
                        let message =
                            format!("byte {} is not UTF-8, expected UTF-8 text", error.valid_up_to() + start + 1);
                        Err(self.fault(number, Problem::new("", message)))
                    }
                };
            }
        }
    }

    fn fault(&self, line: u64, problem: Problem) -> DataError {
        DataError::Record { file: self.file.clone(), place: Place::Line(line), problem }
    }
}

/// The malformed records that were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many there were.
    pub count: u64,
    /// What was wrong with the first [`LISTED`] of them.
    pub messages: Vec<String>,
}

/// Sees each record and may refuse it.
pub(crate) type Check<T> = Box<dyn FnMut(&T) -> Result<(), Problem> + Send>;

/// Records of one type from a JSON Lines file.
pub struct Records<T> {
    lines: Lines,
    skip_bad: bool,
    skipped: Skipped,
    check: Check<T>,
    failed: bool,
    kind: PhantomData<T>,
}

impl<T: DeserializeOwned> Records<T> {
    /// Reads a file of any record type; `check` sees each record and may refuse it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(
        path: &Path,
        skip_bad: bool,
        check: impl FnMut(&T) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Self, DataError> {
        Ok(Self::new(Lines::open(path)?, skip_bad, check))
    }

    /// The same from lines.
    pub fn new(lines: Lines, skip_bad: bool, check: impl FnMut(&T) -> Result<(), Problem> + Send + 'static) -> Self {
        Self { lines, skip_bad, skipped: Skipped::default(), check: Box::new(check), failed: false, kind: PhantomData }
    }

    /// The malformed records left out so far (with `skip_bad`).
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn read(&mut self) -> Result<Option<(u64, T)>, DataError> {
        let Some((number, line)) = self.lines.next_line()? else { return Ok(None) };
        let parsed = parse::<T>(line).and_then(|record| (self.check)(&record).map(|()| record));
        match parsed {
            Ok(record) => Ok(Some((number, record))),
            Err(problem) => Err(self.lines.fault(number, problem)),
        }
    }

    /// The next record with its line number; `None` at the end.
    ///
    /// # Errors
    /// A malformed record, unless those are skipped; a failing stream. After an error that is not skipped the reader is
    /// at its end, except that a malformed record does not stop a caller who goes on.
    pub fn next_record(&mut self) -> Option<Result<(u64, T), DataError>> {
        while !self.failed {
            match self.read() {
                Ok(None) => return None,
                Ok(Some(record)) => return Some(Ok(record)),
                Err(error) if error.skippable() && self.skip_bad => self.skipped.add(error.to_string()),
                Err(error) => {
                    self.failed = !error.skippable();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = Result<T, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().map(|result| result.map(|(_, record)| record))
    }
}

impl Skipped {
    /// Counts one more.
    pub fn add(&mut self, message: String) {
        self.count += 1;
        if self.messages.len() < LISTED {
            self.messages.push(message);
        }
    }
}

/// One JSON object as a record, with the path of the field at fault.
///
/// # Errors
/// Not JSON, not the right shape.
pub fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, Problem> {
    // To follow the path costs about as much as to read: it is done where there is something to tell.
    if let Ok(record) = serde_json::from_str(line) {
        return Ok(record);
    }
    let mut source = serde_json::Deserializer::from_str(line);
    let record = serde_path_to_error::deserialize(&mut source).map_err(explain)?;
    source.end().map_err(|error| {
        let column = error.column();
        Problem::new("", format!("more text after the record at column {column}, expected one JSON object a line"))
    })?;
    Ok(record)
}

/// A JSON value as a record, with the path of the field at fault.
///
/// # Errors
/// Not the right shape.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(explain)
}

/// The field and what was expected.
fn explain(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let inner = error.into_inner();
    let text = inner.to_string();
    // The position is within the line: keep the column, the line number is ours.
    let bare = text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]);
    if inner.is_data() {
        return Problem::new(if path == "." { "" } else { path.as_str() }, bare);
    }
    // Where the text is no JSON, the path says only how far the parser came.
    let column = inner.column();
    Problem::new("", format!("not valid JSON: {bare} at column {column}, expected one JSON object a line"))
}

/// Cases from a JSON Lines file, validated, their ids unique.
pub type CaseReader = Records<Case>;

impl CaseReader {
    /// Opens a file of cases; with `skip_bad` malformed ones are left out and counted.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn cases(path: &Path, skip_bad: bool) -> Result<Self, DataError> {
        Self::open(path, skip_bad, case_check())
    }
}

/// Validates cases and refuses an id seen before.
pub fn case_check() -> impl FnMut(&Case) -> Result<(), Problem> + Send + 'static {
    let mut seen: HashSet<u128> = HashSet::new();
    move |case| {
        validate(case)?;
        if seen.insert(fingerprint(&case.id)) {
            return Ok(());
        }
        Err(Problem::new("id", format!("{:?} was used before, expected ids unique in the file", case.id)))
    }
}

/// 128 bits of an id, so that a file's ids need little memory.
fn fingerprint(id: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// All cases of a file.
///
/// # Errors
/// The file cannot be read, holds a malformed case (unless `skip_bad`), or no good case at all.
pub fn read_cases(path: &Path, skip_bad: bool) -> Result<(Vec<Case>, Skipped), DataError> {
    let mut reader = CaseReader::cases(path, skip_bad)?;
    let mut cases = Vec::new();
    while let Some(record) = reader.next_record() {
        cases.push(record?.1);
    }
    if cases.is_empty() {
        return Err(DataError::Empty { file: display(path), what: "case", bad: reader.skipped.count });
    }
    Ok((cases, reader.skipped))
}

/// The whole of a file as text, without a byte order mark.
///
/// # Errors
/// The file cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|reason| DataError::Read { file: display(path), reason })?;
    let text = String::from_utf8(bytes).map_err(|error| DataError::Layout {
        file: display(path),
        message: format!("byte {} is not UTF-8, expected UTF-8 text", error.utf8_error().valid_up_to() + 1),
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Cursor;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(Box::new(Cursor::new(bytes.to_vec())), "cases.jsonl".to_owned())
    }

    fn read(bytes: &[u8], skip_bad: bool) -> (Vec<Result<Case, String>>, Skipped) {
        let mut reader = CaseReader::new(lines(bytes), skip_bad, case_check());
        let mut out = Vec::new();
        for record in reader.by_ref() {
            out.push(record.map_err(|error| error.to_string()));
        }
        (out, reader.skipped)
    }

    const GOOD: &str = r#"{"id":"1","task":"numeric","question":"q"}"#;

    #[test]
    fn byte_order_mark_and_carriage_returns_are_tolerated() {
        let text = format!("\u{feff}{GOOD}\r\n\r\n  \n{}\r\n", GOOD.replace("\"1\"", "\"2\""));
        let (cases, _) = read(text.as_bytes(), false);
        assert_eq!(cases.iter().map(|c| c.as_ref().unwrap().id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn faults_name_file_line_and_field() {
        for (bad, expected) in [
            (r#"{"id":"#, "cases.jsonl, line 2: not valid JSON"),
            (
                r#"{"id":7,"task":"numeric","question":"q"}"#,
                "line 2: field `id`: invalid type: integer `7`, expected a string",
            ),
            (
                r#"{"id":"x","task":"essay","question":"q"}"#,
                "line 2: field `task`: unknown variant `essay`, expected one of",
            ),
            (r#"{"id":"x","question":"q"}"#, "line 2: missing field `task`"),
            (
                r#"{"id":"x","task":"numeric","question":"q","options":[{"key":"A","text":3}]}"#,
                "line 2: field `options[0].text`",
            ),
            (r#"{"id":"1","task":"numeric","question":"q"}"#, "line 2: field `id`: \"1\" was used before"),
            (r#"[1,2]"#, "line 2: "),
            (r#"{"id":"x","task":"numeric","question":"q"} {}"#, "line 2: more text after the record at column"),
            ("null", "line 2: "),
        ] {
            let (cases, _) = read(format!("{GOOD}\n{bad}\n").as_bytes(), false);
            let message = cases[1].as_ref().unwrap_err();
            assert!(message.contains(expected), "{message} does not say {expected:?}");
        }
        let (cases, _) = read(b"\xff\xfe{}\n", false);
        assert!(cases[0].as_ref().unwrap_err().contains("byte 1 is not UTF-8"));
    }

    #[test]
    fn skipping_counts_and_lists() {
        let text = format!("{GOOD}\nnot json\n{{}}\n{}", GOOD.replace("\"1\"", "\"2\""));
        let (cases, skipped) = read(text.as_bytes(), true);
        assert_eq!((cases.len(), skipped.count), (2, 2));
        assert!(skipped.messages[0].starts_with("cases.jsonl, line 2:"));
    }

    #[test]
    fn an_all_bad_file_is_an_error_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "nonsense\n{}\n").unwrap();
        let message = read_cases(&path, true).unwrap_err().to_string();
        assert!(message.ends_with("x.jsonl: no case in it (2 malformed)"), "{message}");
        std::fs::write(&path, "").unwrap();
        assert!(read_cases(&path, false).unwrap_err().to_string().ends_with("no case in it"));
        assert!(read_cases(&folder.path().join("none"), false).unwrap_err().to_string().contains("cannot read"));
        assert!(read_cases(folder.path(), false).unwrap_err().to_string().contains("it is a folder"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let _ = read(&bytes, true);
            let _ = read(&bytes, false);
        }
    }
}
