//! `SET key = literal` before a statement

use super::cursor::Cursor;
use super::keyword::Keyword;
use super::lexeme::Symbol;
use super::refusal::SqlRefusal;
use super::token::TokenKind;
use crate::resource_actions::query_context::{ContextValue, Setting};

/// `[ALTER (SYSTEM|SESSION)] SET key = literal`
pub(super) fn read_setting(setting: &Cursor<'_, '_, '_>) -> Result<Setting, SqlRefusal> {
    let mut setting = setting.clone();
    if setting.eat(Keyword::Alter) && !setting.eat(Keyword::System) {
        setting.expect(Keyword::Session)?;
    }
    if !setting.eat(Keyword::Set) {
        return Err(setting.unsupported("more than one statement".to_owned()));
    }
    let key = setting.expect_name()?;
    if setting.next_is_symbol(Symbol::Dot) {
        return Err(setting.unsupported("SET of a compound key; quote the key if it holds a dot".to_owned()));
    }
    setting.expect_symbol(Symbol::Equals)?;
    let value = literal(&mut setting)?;
    setting.expect_end()?;
    Ok(Setting { key, value })
}

/// A literal (`Literal()` of `Parser.jj`, but for intervals), as Druid puts it into the context
fn literal(setting: &mut Cursor<'_, '_, '_>) -> Result<ContextValue, SqlRefusal> {
    let has_sign = setting.eat_symbol(Symbol::Sign);
    let has_type = !has_sign
        && [Keyword::Date, Keyword::Time, Keyword::Timestamp].into_iter().any(|keyword| setting.eat(keyword));
    let value = setting.next().ok_or(SqlRefusal::EndsEarly)?;
    let read = match (&value.kind, has_sign, has_type) {
        (TokenKind::Number(_), _, false) | (TokenKind::Text(_), _, true) => Some(ContextValue::Other),
        (TokenKind::Text(text), false, _) => Some(ContextValue::Text(text.value.clone().into_owned())),
        (TokenKind::Bytes, false, _) => Some(ContextValue::Other),
        (TokenKind::Keyword(keyword), false, false) => constant(*keyword),
        _ => None,
    };
    read.ok_or_else(|| setting.unexpected(value))
}

/// A keyword that is a literal
fn constant(keyword: Keyword) -> Option<ContextValue> {
    if matches!(keyword, Keyword::Null | Keyword::Unknown) {
        return Some(ContextValue::Other);
    }
    let is_boolean = matches!(keyword, Keyword::True | Keyword::False);
    is_boolean.then_some(ContextValue::Boolean(keyword == Keyword::True))
}
