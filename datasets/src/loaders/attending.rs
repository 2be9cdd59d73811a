//! Our own records, `attending.case/1`.

use serde_json::{Map, Value};

use super::{Loader, Origin};
use crate::Case;
use crate::case::SCHEMA;
use crate::error::Problem;
use crate::reader::from_value;

/// Reads cases as [`crate::RecordWriter`] writes them.
pub(super) struct Native;

impl Loader for Native {
    fn name(&self) -> &'static str {
        "attending"
    }

    fn about(&self) -> &'static str {
        "cases in our own format, attending.case/1"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        first.get("schema").is_some_and(|schema| schema == SCHEMA)
            || (first.contains_key("task") && first.contains_key("question"))
    }

    fn case(&self, record: Map<String, Value>, _origin: Origin) -> Result<Case, Problem> {
        from_value(Value::Object(record))
    }
}
