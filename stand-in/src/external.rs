//! Input from outside: `EXTERN` read, and the rows of inline data

use serde_json::{Map, Value};

use super::fault::Fault;
use super::reader::Reader;
use super::statement::Source;
use super::table::{Column, Kind, plain, stored};

impl Reader {
    /// `TABLE(EXTERN('…', '…', '…')) EXTEND (name TYPE, …)`
    pub(super) fn external(&mut self) -> Result<Source, Fault> {
        let arguments = self.enclosed(|reader| {
            reader.want("EXTERN")?;
            reader.enclosed(|reader| reader.list(Self::document))
        })?;
        let mut arguments = arguments.into_iter();
        let (input_source, input_format) = (arguments.next(), arguments.next());
        let columns = match arguments.next() {
            Some(signature) => signature_columns(&signature)?,
            None => {
                self.want("EXTEND")?;
                self.enclosed(|reader| reader.list(|reader| Ok(Column::new(reader.name()?, reader.kind()?))))?
            }
        };
        Ok(Source::Extern {
            input_source: input_source.unwrap_or(Value::Null),
            input_format: input_format.unwrap_or(Value::Null),
            columns,
        })
    }

    fn document(&mut self) -> Result<Value, Fault> {
        // `inputSource => '…'` is as good as its place.
        if self.tokens.get(self.at + 1).is_some_and(|next| next.is_mark("=>")) {
            self.at += 2;
        }
        let text = self.text()?;
        serde_json::from_str(&text)
            .map_err(|error| Fault::sql(format!("Invalid value for the field [{text}]. Reason: [{error}]")))
    }
}

fn signature_columns(signature: &Value) -> Result<Vec<Column>, Fault> {
    let columns = signature.as_array().map_or(&[][..], Vec::as_slice);
    columns
        .iter()
        .map(|column| {
            let (name, kind) = (column.get("name"), column.get("type"));
            let name = name.and_then(Value::as_str);
            let kind = kind.and_then(Value::as_str).and_then(Kind::named);
            name.zip(kind)
                .map(|(name, kind)| Column::new(name, kind))
                .ok_or_else(|| Fault::sql(format!("Invalid value for the field [{column}]")))
        })
        .collect()
}

/// The rows of an input source, as these columns
pub(super) fn external_rows(
    source: &Value,
    format: &Value,
    columns: &[Column],
) -> Result<Vec<Vec<Value>>, Fault> {
    let kind = source.get("type").and_then(Value::as_str).unwrap_or_default();
    let Some(data) = source.get("data").and_then(Value::as_str).filter(|_| kind == "inline") else {
        return Err(Fault::inner(format!(
            "Could not read from input source [{kind}]: only inline data is at hand"
        )));
    };
    let objects = match format.get("type").and_then(Value::as_str) {
        Some("json") => serde_json::Deserializer::from_str(data)
            .into_iter::<Map<String, Value>>()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Fault::inner(format!("Unable to parse row: {error}")))?,
        Some("csv") => csv_objects(data, format),
        _ => return Err(Fault::inner("Could not parse the input: only json and csv are at hand")),
    };
    let row = |object: Map<String, Value>| {
        let value = |column: &Column| object.get(&column.name).cloned().unwrap_or(Value::Null);
        columns.iter().map(|column| stored(column.kind, value(column))).collect()
    };
    Ok(objects.into_iter().map(row).collect())
}

/// The lines of a CSV without quotes; `columns` of the format, or a first line of names
fn csv_objects(data: &str, format: &Value) -> Vec<Map<String, Value>> {
    let mut lines = data.lines();
    let given = format.get("columns").and_then(Value::as_array);
    let names: Vec<String> = match given {
        Some(names) => names.iter().map(plain).collect(),
        None => lines.next().unwrap_or_default().split(',').map(str::to_owned).collect(),
    };
    let object = |line: &str| names.iter().cloned().zip(line.split(',').map(Value::from)).collect();
    lines.map(object).collect()
}
