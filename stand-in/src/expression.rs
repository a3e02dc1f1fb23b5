//! What can be computed in a statement, read

use serde_json::{Number, Value, json};

use super::fault::Fault;
use super::reader::{DEEPEST, Reader, too_deep};
use super::statement::Expression;
use super::table::Kind;
use super::word::{Place, Token, Word};

impl Reader {
    /// Something that can be computed
    pub(super) fn expression(&mut self) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        let expression = self.nested_expression()?;
        self.depth -= 1;
        Ok(expression)
    }

    fn nested_expression(&mut self) -> Result<Expression, Fault> {
        let called = self.tokens.get(self.at + 1).is_some_and(|next| next.is_mark("("));
        let token = self.peek().clone();
        match &token.word {
            Word::Bare(word) if called => self.call(&word.to_ascii_uppercase(), &token),
            Word::Bare(word) => self.keyword_or_column(&word.to_ascii_uppercase(), token.place),
            Word::Quoted(_) => self.column(token.place),
            Word::Text(_) | Word::Number(_) | Word::Mark(_) => self.constant(),
            Word::End => self.unexpected("<IDENTIFIER>"),
        }
    }

    fn call(&mut self, function: &str, token: &Token) -> Result<Expression, Fault> {
        self.at += 2;
        let expression = match function {
            "COUNT" => {
                self.want_mark("*")?;
                Expression::CountAll
            }
            "SUM" => Expression::Sum(Box::new(self.expression()?)),
            "TIME_PARSE" | "MILLIS_TO_TIMESTAMP" => Expression::Time(Box::new(self.expression()?)),
            "CAST" => self.cast()?,
            _ => {
                let message = format!("No match found for function signature {function}(…)");
                return Err(Fault::at(token.place, &message));
            }
        };
        self.want_mark(")")?;
        Ok(expression)
    }

    fn cast(&mut self) -> Result<Expression, Fault> {
        let inner = self.expression()?;
        self.want("AS")?;
        let kind = self.kind()?;
        Ok(if kind == Kind::Timestamp { Expression::Time(Box::new(inner)) } else { inner })
    }

    fn keyword_or_column(&mut self, word: &str, place: Place) -> Result<Expression, Fault> {
        match word {
            "CURRENT_TIMESTAMP" => {
                self.at += 1;
                Ok(Expression::Now)
            }
            "TIMESTAMP" | "DATE" => {
                self.at += 1;
                let value = Value::String(self.text()?);
                Ok(Expression::Time(Box::new(Expression::Literal { value, kind: Kind::Char })))
            }
            "TRUE" | "FALSE" | "NULL" => self.constant(),
            _ => self.column(place),
        }
    }

    fn constant(&mut self) -> Result<Expression, Fault> {
        let (value, kind) = self.literal()?;
        Ok(Expression::Literal { value, kind })
    }

    fn column(&mut self, place: Place) -> Result<Expression, Fault> {
        let mut name = self.name()?;
        while self.take_mark(".") {
            name = self.name()?;
        }
        Ok(Expression::Column { name, place })
    }

    /// A value that stands for itself
    pub(super) fn literal(&mut self) -> Result<(Value, Kind), Fault> {
        let minus = self.take_mark("-");
        let token = self.peek().clone();
        let literal = match &token.word {
            Word::Number(digits) => number(digits, minus),
            Word::Text(text) => Some((json!(text), Kind::Char)),
            Word::Bare(word) => match word.to_ascii_uppercase().as_str() {
                "TRUE" => Some((json!(true), Kind::Boolean)),
                "FALSE" => Some((json!(false), Kind::Boolean)),
                "NULL" => Some((Value::Null, Kind::Null)),
                _ => None,
            },
            Word::Quoted(_) | Word::Mark(_) | Word::End => None,
        };
        let Some(literal) = literal else {
            return self
                .unexpected("<UNSIGNED_INTEGER_LITERAL>, <QUOTED_STRING>, \"TRUE\", \"FALSE\", \"NULL\"");
        };
        self.at += 1;
        Ok(literal)
    }
}

fn number(digits: &str, minus: bool) -> Option<(Value, Kind)> {
    let text = if minus { format!("-{digits}") } else { digits.to_owned() };
    match text.parse::<i64>() {
        Ok(whole) => Some((json!(whole), Kind::Integer)),
        Err(_) => Number::from_f64(text.parse().ok()?).map(|number| (Value::Number(number), Kind::Decimal)),
    }
}
